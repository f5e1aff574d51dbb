"""The usual questions, run over a month of the lake, against what Python makes of the very same records."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlglot
from scipy import stats

from duck_lake import DuckLake
from infrastructure.queries import FOLDER, Question, questions
from infrastructure.queries.__main__ import main
from personalization import keys
from personalization.archiving import LakeLine, pack
from personalization.attribution import Credit, outcomes
from personalization.events import Event, EventType, Item, encode_event, upsert_item
from personalization.experiment_results import (
    Decision,
    ExperimentResults,
    VariantResults,
    encode_results,
)
from personalization.experiments import Assignment
from personalization.exposure_log import pack_exposures
from personalization.exposures import Assigned, Exposure, assigned
from personalization.names import Source
from personalization.tokens import issue, tail

SECRET = b"token-secret"
TODAY = date(2026, 1, 31)
FIRST_DAY = TODAY - timedelta(days=28)
MONTH = datetime(2026, 1, 3, tzinfo=UTC)
"""The window's first moment."""
USERS = 300
WEIGHTS = {"ranking": {"control": 0.5, "model": 0.5}, "label": {"plain": 0.2, "because": 0.3, "popular": 0.5}}
SEEDS = (1, 2)
Row = dict[str, Any]


@dataclass
class Month:
    """What a month left in the lake, and the same as Python objects."""

    random: random.Random
    exposures: list[Exposure] = field(default_factory=list)
    records: list[tuple[str, datetime, Event]] = field(default_factory=list)
    """Sequence number, arrival and event, as they came."""

    def live(self) -> None:
        for number in range(USERS):
            user = f"user-{number}"
            joined = self.random.randrange(-5, 25)
            for _ in range(self.random.randrange(1, 6)):
                days = joined + self.random.choice([0, 0, 1, 2, 7])
                self._visit(user, MONTH + timedelta(days=days, seconds=self.random.randrange(80_000)))
        self._noise()

    def _visit(self, user: str, at: datetime) -> None:
        if at >= datetime(2026, 1, 31, 20, tzinfo=UTC):
            return
        assignments = self._assignments(user)
        items = self.random.sample([f"sku-{number}" for number in range(12)], 5)
        list_id = f"list-{user}-{at:%d%H}"
        surface = self.random.choice(["home", "product", "newsletter"])
        receipt = issue(
            SECRET,
            list_id=list_id,
            user_key=user,
            surface=surface,
            assignments=assignments,
            model_version="v1",
            item_ids=items,
            issued_at=at,
        )
        exposure = Exposure(
            request_id=f"request-{len(self.exposures)}",
            at=at,
            user_key=user,
            surface=surface,
            list_id=list_id,
            source=self.random.choice([Source.LIST, Source.LIST, Source.STALE_LIST, Source.TRENDING]),
            model_version="v1",
            receipt=tail(receipt),
            assignments=assigned(assignments),
        )
        self.exposures += [exposure] * self.random.choice([1, 1, 1, 2])
        self._act(user, at, receipt, items)

    def _assignments(self, user: str) -> tuple[Assignment, ...]:
        draw = random.Random(user)
        if draw.random() < 0.1:
            return ()
        ranking = draw.choices(list(WEIGHTS["ranking"]), list(WEIGHTS["ranking"].values()))[0]
        if draw.random() < 0.02:
            # Somebody who changes variant from visit to visit, as nobody should.
            ranking = self.random.choice(list(WEIGHTS["ranking"]))
        label = draw.choices(list(WEIGHTS["label"]), list(WEIGHTS["label"].values()))[0]
        return (Assignment("ranking", ranking), Assignment("label", label))

    def _act(self, user: str, at: datetime, receipt: str, items: list[str]) -> None:
        soon = at + timedelta(seconds=30)
        self.send("impression", user, soon, item_ids=tuple(items), recommendation_id=receipt)
        self.send("view", user, soon, item_id=items[0])
        for item in items:
            chance = 0.25 + 0.05 * int(item.removeprefix("sku-")) / 12
            if self.random.random() < chance:
                later = soon + timedelta(seconds=self.random.randrange(10, 4_000))
                common = {"item_id": item, "recommendation_id": receipt}
                self.send("click", user, later, **common)
                self.send("dwell", user, later, value=self.random.choice([5.0, 60.5, 9_000.0]), **common)
                if self.random.random() < 0.4:
                    bought = later + timedelta(days=self.random.choice([0, 1, 6, 8]))
                    value = self.random.choice([None, 9.99, 120.0])
                    self.send("purchase", user, bought, value=value, **common)

    def send(
        self, kind: str, user: str, at: datetime, *, late: timedelta = timedelta(0), **fields: Any
    ) -> None:
        """An event as it arrives: now and then late, or twice by its client."""
        received = at + timedelta(seconds=self.random.choice([1, 2, 40])) + late
        received += timedelta(days=9) if self.random.random() < 0.01 else timedelta(0)
        event = Event(
            event_id=f"event-{len(self.records)}",
            event_type=EventType(kind),
            occurred_at=at,
            received_at=received,
            user_key=user,
            **fields,
        )
        if received < datetime(2026, 2, 1, tzinfo=UTC):
            for again in range(self.random.choice([1] * 9 + [2])):
                arrived = received + timedelta(seconds=again)
                copy = msgspec.structs.replace(event, received_at=arrived)
                self.records.append((f"{len(self.records):09d}", arrived, copy))

    def _noise(self) -> None:
        """Crawlers, thieves, forgers, items, and people's own events that name no answer."""
        visits = [row for _, _, row in self.records if row.event_type is EventType.IMPRESSION]
        for row in self.random.sample(visits, 40):
            at, user, receipt = row.occurred_at, row.user_key, row.recommendation_id
            item = {"item_id": self.random.choice(row.item_ids or ())}
            common = {**item, "recommendation_id": receipt}
            for kind in ("click", "purchase"):
                self.send(kind, "thief", at, value=50.0, **common)
                self.send(kind, user, at, value=50.0, recommendation_id="A" * 200, **item)
                self.send(kind, user, at, value=50.0, **item)
                self.send(kind, user, at, value=50.0, bot=True, **common)
                self.send(kind, user, at - timedelta(days=8), value=50.0, late=timedelta(days=8), **common)
            for day, value in enumerate((7.0, 8.0, 9.0)):
                self.send("click", user, at + timedelta(days=day), **common)
                self.send("purchase", user, at + timedelta(days=day), value=value, **common)
            self.send("click", "crawler", at, item_id="sku-1", bot=True)
        first = self.exposures[0]
        self.exposures += [
            msgspec.structs.replace(first, request_id=f"bot-{number}", user_key=f"bot-{number}", bot=True)
            for number in range(25)
        ]
        qa = Assigned("ranking", "model", forced=True)
        self.exposures.append(
            msgspec.structs.replace(first, request_id="qa", user_key="qa", receipt="-", assignments=(qa,))
        )
        item = upsert_item(Item(item_id="sku-1", tags=("a",)), event_id="i", received_at=MONTH)
        self.records.append(("item", MONTH, item))

    def write(self, root: Path) -> None:
        """Write the lake as its writers do: objects of a few records each, some of them overlapping."""
        by_day: dict[date, list[LakeLine]] = defaultdict(list)
        for sequence, arrived, event in self.records:
            line = LakeLine(sequence, arrived, event=msgspec.Raw(encode_event(event)))
            by_day[arrived.date()].append(line)
        by_day[TODAY] += [
            LakeLine("broken", datetime(2026, 1, 31, tzinfo=UTC), raw=b"\x00no JSON"),
            LakeLine("number", datetime(2026, 1, 31, tzinfo=UTC), event=msgspec.Raw(b"42")),
        ]
        for day, lines in by_day.items():
            for start in range(0, len(lines), 90):
                part = lines[start : start + 100]
                key = keys.event_object(part[0].arrived_at, epoch=1, shard="0", first_sequence=str(start))
                _put(root, key.replace(f"date={part[0].arrived_at:%Y-%m-%d}", f"date={day}"), pack(part))
        shown: dict[date, list[Exposure]] = defaultdict(list)
        for exposure in self.exposures:
            shown[exposure.at.date()].append(exposure)
        for day, exposures in shown.items():
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            _put(root, keys.exposure_object(at, stream="s", first_id="1"), pack_exposures(exposures))
        for experiment, weights in WEIGHTS.items():
            for day in (date(2026, 1, 20), date(2026, 1, 30)):
                found = _results(experiment, weights if day.day == 30 else dict.fromkeys(weights, 0.9))
                _put(root, f"experiments/results/date={day}/{experiment}.json", encode_results(found))

    # What Python makes of it.

    def answers(self) -> list[Exposure]:
        """Those of the window, each once, crawlers' left out."""
        once = {row.request_id: row for row in self.exposures if not row.bot}
        return [row for row in once.values() if row.at >= MONTH]

    def members(self) -> dict[str, dict[str, str]]:
        """Variant by experiment and user, of users in one variant."""
        given: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for row in self.answers():
            for assignment in row.assignments:
                if not assignment.forced:
                    given[assignment.experiment][row.user_key].add(assignment.variant)
        return {
            experiment: {user: next(iter(names)) for user, names in users.items() if len(names) == 1}
            for experiment, users in given.items()
        }

    def credits(self) -> list[tuple[str, Credit]]:
        """Day and credit of what counts for an answer of the window, the first of each."""
        known = {row.receipt for row in self.answers()}
        counted: dict[tuple[str, str], tuple[str, Credit]] = {}
        for _, arrived, event in sorted(self.records, key=lambda row: row[2].received_at):
            if arrived >= MONTH and event.recommendation_id and tail(event.recommendation_id) in known:
                for credit in outcomes(event, SECRET):
                    counted.setdefault((credit.user_key, credit.identity), (f"{arrived:%Y-%m-%d}", credit))
        return list(counted.values())

    def in_window(self) -> list[tuple[str, datetime, Event]]:
        return [row for row in self.records if row[1] >= MONTH]


def _put(root: Path, key: str, body: bytes) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def _results(experiment: str, weights: dict[str, float]) -> ExperimentResults:
    return ExperimentResults(
        experiment=experiment,
        surface="home",
        as_of=MONTH,
        started_at=MONTH,
        users=1,
        crossed_over=0,
        decision=Decision.KEEP_RUNNING,
        verdict="Not decided yet.",
        variants=tuple(
            VariantResults(
                name=name,
                weight=weight,
                users=1,
                impressions=1,
                clicks=0,
                conversions=0,
                revenue=0.0,
                dwell_seconds=0.0,
                ctr=None,
                ctr_interval=(0.0, 0.1),
            )
            for name, weight in weights.items()
        ),
    )


@dataclass
class World:
    month: Month
    lake: DuckLake

    def ask(self, name: str, fewest: int = 1) -> list[Row]:
        return self.lake.ask({question.name: question for question in questions(fewest)}[name].sql)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    month = Month(random.Random(request.param))
    month.live()
    root = tmp_path_factory.mktemp("lake")
    month.write(root)
    return World(month, DuckLake(root, today=TODAY))


def percent(part: float, whole: float) -> Any:
    return pytest.approx(100 * part / whole) if whole else None


def rates(counted: Counter[Any], keys_: Iterator[Any]) -> Iterator[tuple[Any, int, int, Any]]:
    for key in sorted(keys_):
        shown, clicked = counted[key, EventType.IMPRESSION], counted[key, EventType.CLICK]
        yield key, shown, clicked, percent(clicked, shown)


def test_ctr_by_variant_and_day(world: World) -> None:
    counted: Counter[Any] = Counter(
        ((day, row.experiment, row.variant), credit.event_type)
        for day, credit in world.month.credits()
        for row in credit.assignments
    )
    expected = [
        {
            "day": day,
            "experiment": experiment,
            "variant": variant,
            "impressions": shown,
            "clicks": clicked,
            "ctr_percent": rate,
        }
        for (day, experiment, variant), shown, clicked, rate in rates(counted, {key for key, _ in counted})
    ]
    assert world.ask("ctr-by-variant-and-day") == expected
    assert len(expected) > 100


def test_ctr_by_surface(world: World) -> None:
    counted: Counter[Any] = Counter(
        ((day, credit.surface), credit.event_type) for day, credit in world.month.credits()
    )
    expected = [
        {"day": day, "surface": surface, "impressions": shown, "clicks": clicked, "ctr_percent": rate}
        for (day, surface), shown, clicked, rate in rates(counted, {key for key, _ in counted})
    ]
    assert world.ask("ctr-by-surface") == expected


def test_conversion_and_revenue_by_variant(world: World) -> None:
    members = world.month.members()
    sums: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for _, credit in world.month.credits():
        for row in credit.assignments:
            if members[row.experiment].get(credit.user_key) == row.variant:
                sums[row.experiment, row.variant, credit.event_type][credit.user_key] += credit.value
    sizes = Counter((name, variant) for name, users in members.items() for variant in users.values())
    expected = []
    for key, users in sorted(sizes.items()):
        bought, read = sums[*key, EventType.PURCHASE], sums[*key, EventType.DWELL]
        expected.append(
            {
                "experiment": key[0],
                "variant": key[1],
                "users": users,
                "buyers": len(bought),
                "conversion_percent": percent(len(bought), users),
                "revenue": pytest.approx(sum(bought.values())),
                "revenue_per_user": pytest.approx(sum(bought.values()) / users),
                "dwell_seconds_per_user": pytest.approx(sum(read.values()) / users),
            }
        )
    assert world.ask("conversion-and-revenue-by-variant") == expected
    assert any(row["buyers"] for row in expected)


def test_top_items_by_ctr(world: World) -> None:
    """The lower end of Wilson's interval, as SciPy has it."""
    counted: Counter[Any] = Counter(
        (credit.item_id, credit.event_type) for _, credit in world.month.credits()
    )
    asked = world.ask("top-items-by-ctr")
    lows = {}
    for item, shown, clicked, _ in rates(counted, {key for key, _ in counted}):
        interval = stats.binomtest(clicked, shown).proportion_ci(method="wilson")
        lows[item] = (shown, clicked, 100 * interval.low)
    assert [row["item_id"] for row in asked] == sorted(lows, key=lambda item: -lows[item][2])
    for row in asked:
        shown, clicked, low = lows[row["item_id"]]
        assert (row["impressions"], row["clicks"]) == (shown, clicked)
        assert row["ctr_percent_at_least"] == pytest.approx(low, abs=1e-4)


def test_fallback_share_by_source(world: World) -> None:
    counted = Counter((f"{row.at:%Y-%m-%d}", str(row.source)) for row in world.month.answers())
    days = Counter(day for day, _ in counted.elements())
    expected = [
        {"day": day, "source": source, "answers": count, "share_percent": percent(count, days[day])}
        for (day, source), count in sorted(counted.items(), key=lambda row: (row[0][0], -row[1], row[0][1]))
    ]
    assert world.ask("fallback-share-by-source") == expected


def test_sample_ratio_by_experiment(world: World) -> None:
    """SciPy's chi-squared for two variants; for three to the accuracy of Wilson and Hilferty."""
    asked = {row["experiment"]: row for row in world.ask("sample-ratio-by-experiment")}
    for experiment, users in world.month.members().items():
        sizes = Counter(users.values())
        names = sorted(sizes)
        expected = [WEIGHTS[experiment][name] * len(users) for name in names]
        test = stats.chisquare([sizes[name] for name in names], expected)
        row = asked.pop(experiment)
        assert row["users_by_variant"] == " ".join(f"{name}={sizes[name]}" for name in names)
        assert row["chi_squared"] == pytest.approx(test.statistic)
        assert row["p_value"] == pytest.approx(test.pvalue, abs=1e-6 if len(names) == 2 else 0.01)
    assert not asked


def test_events_by_type_and_day(world: World) -> None:
    counted: Counter[Any] = Counter()
    users: dict[Any, set[str]] = defaultdict(set)
    bots: Counter[Any] = Counter()
    for _, arrived, event in world.month.in_window():
        key = (f"{arrived:%Y-%m-%d}", str(event.event_type))
        counted[key] += 1
        bots[key] += event.bot
        users[key] |= {event.user_key} - {""}
    expected = [
        {"day": key[0], "event_type": key[1], "events": n, "users": len(users[key]), "from_bots": bots[key]}
        for key, n in sorted(counted.items())
    ]
    assert world.ask("events-by-type-and-day") == expected


def test_late_and_repeated_events(world: World) -> None:
    seen: set[tuple[str, str]] = set()
    days: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    for _, arrived, event in sorted(world.month.in_window(), key=lambda row: (row[2].received_at, row[0])):
        lag = event.received_at - event.occurred_at
        repeated = (event.user_key, event.event_id) in seen
        seen.add((event.user_key, event.event_id))
        days[f"{arrived:%Y-%m-%d}"].append((lag > timedelta(days=7), repeated, lag.total_seconds()))
    expected = [
        {
            "day": day,
            "events": len(rows),
            "late": sum(late for late, _, _ in rows),
            "repeated": sum(repeated for _, repeated, _ in rows),
            "mean_lag_seconds": pytest.approx(sum(lag for _, _, lag in rows) / len(rows)),
        }
        for day, rows in sorted(days.items())
    ]
    assert world.ask("late-and-repeated-events") == expected
    assert any(row["late"] for row in expected)
    assert any(row["repeated"] for row in expected)


def test_new_users_and_retention(world: World) -> None:
    days: dict[str, set[date]] = defaultdict(set)
    for _, arrived, event in world.month.in_window():
        if event.user_key and not event.bot:
            days[event.user_key].add(arrived.date())
    cohorts: dict[date, list[set[int]]] = defaultdict(list)
    for seen in days.values():
        cohorts[min(seen)].append({(day - min(seen)).days for day in seen})
    expected = [
        {
            "first_day": first.isoformat(),
            "new_users": len(users),
            "back_after_1_day": sum(1 in later for later in users),
            "back_after_7_days": sum(7 in later for later in users),
        }
        for first, users in sorted(cohorts.items())
    ]
    assert world.ask("new-users-and-retention") == expected
    assert any(row["back_after_7_days"] for row in expected)


def test_funnel_by_surface(world: World) -> None:
    stages: dict[tuple[str, str, str], set[EventType]] = defaultdict(set)
    surface: dict[tuple[str, str, str], str] = {}
    for _, credit in world.month.credits():
        key = (credit.user_key, credit.list_id, credit.item_id)
        stages[key].add(credit.event_type)
        # A list that many share may be shown on two surfaces: such an item counts for one of them.
        surface[key] = min(surface.get(key, credit.surface), credit.surface)
    steps = (EventType.IMPRESSION, EventType.CLICK, EventType.PURCHASE)
    reached: Counter[Any] = Counter()
    for key, kinds in stages.items():
        for number in (1, 2, 3):
            reached[surface[key], number] += kinds >= set(steps[:number])
    expected = [
        {
            "surface": name,
            "shown": reached[name, 1],
            "clicked": reached[name, 2],
            "bought": reached[name, 3],
            "clicked_percent": percent(reached[name, 2], reached[name, 1]),
            "bought_percent": percent(reached[name, 3], reached[name, 2]),
        }
        for name in sorted(set(surface.values()))
    ]
    assert world.ask("funnel-by-surface") == expected
    assert all(row["bought"] for row in expected)


def users_by_day(world: World) -> dict[str, int]:
    found = defaultdict(set)
    for row in world.lake.ask(
        "SELECT DISTINCT day, event.user_key AS user_key FROM events WHERE event.user_key IS NOT NULL"
    ):
        found[row["day"]].add(row["user_key"])
    return {day: len(users) for day, users in found.items()}


@pytest.mark.parametrize("question", [question.name for question in questions()])
def test_an_answer_of_fewer_users_than_the_floor_is_left_out(world: World, question: str) -> None:
    """The others are told as they were; shares of a day are of what is told of it."""
    told = [set(map(str, world.ask(question, fewest))) for fewest in (1, 20, USERS * 10)]
    assert told[0]
    if question != "fallback-share-by-source":
        assert told[1] <= told[0]
    assert all("item_upserted" in row for row in told[2])


def test_a_day_of_one_user_fewer_than_the_floor_is_never_told(world: World) -> None:
    days = users_by_day(world)
    floor = sorted(days.values())[len(days) // 2]
    window = {row["day"] for row in world.ask("late-and-repeated-events")}
    asked = {row["day"] for row in world.ask("late-and-repeated-events", floor)}
    assert asked == {day for day in window if days[day] >= floor}
    below = {row["day"] for row in world.ask("late-and-repeated-events", floor + 1)}
    assert below == {day for day in asked if days[day] > floor}
    assert below < asked < window


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_a_question_says_what_it_answers_and_reads_only_the_days_it_needs(question: Question) -> None:
    """A table of the lake that is read without its days costs a scan of all of them."""
    assert question.description.endswith(".")
    tree = sqlglot.parse_one(question.sql, dialect="athena", error_level=sqlglot.ErrorLevel.RAISE)
    for table in tree.find_all(sqlglot.exp.Table):
        if table.name in ("events", "exposures", "experiment_results"):
            where = table.find_ancestor(sqlglot.exp.Select).args["where"]
            assert "day >= DATE_FORMAT(CURRENT_DATE - INTERVAL '28' DAY, '%Y-%m-%d')" in where.sql("athena")


def test_a_question_is_printed_by_name_and_an_unknown_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctr-by-surface"]) == 0
    assert capsys.readouterr().out.startswith("WITH answers AS (")
    assert main([]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert main(["ctr"]) == 2
    assert "ctr-by-surface" in capsys.readouterr().err


def test_there_are_ten_questions_and_every_part_is_part_of_one() -> None:
    asked = questions()
    assert len(asked) == 10
    parts = {path.stem for path in (FOLDER / "parts").glob("*.sql")}
    named = re.findall(
        r"^(?:WITH )?(\w+) AS \($", "\n".join(question.sql for question in asked), re.MULTILINE
    )
    assert set(named) == parts
