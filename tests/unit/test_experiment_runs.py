"""Runs of the experiments' analysis over a lake: all is read once, and an interruption costs nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from experiment_lake import EXPERIMENT, SECRET, ExperimentLake, pack
from factories import NOW, event
from personalization.adapters.memory import MemoryTable
from personalization.errors import Conflict
from personalization.experiment_results import ExperimentResults, VariantResults
from personalization.keys import experiment_results, experiment_state
from training.experimentation.design import Arm, ExperimentDesign
from training.experimentation.folder import FolderLake
from training.experimentation.run import Analyzed, run
from training.experimentation.state_file import decode_state, encode_state
from training.experimentation.study import Study
from training.experimentation.totals_state import LeftOut, TotalsState

START = NOW - timedelta(days=2)
DESIGN = ExperimentDesign(name=EXPERIMENT, surface="home", arms=(Arm("control", 0.5), Arm("new", 0.5)))
STUDY = Study(design=DESIGN, starts_at=START)


class Watched(FolderLake):
    """Counts what is read, and can fail as a killed process would."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []
        self.dies_at = ""

    def bodies(self, keys: Sequence[str]):
        self.read += keys
        return super().bodies(keys)

    def put(self, key: str, body: bytes) -> None:
        if self.dies_at and self.dies_at in key:
            raise ConnectionResetError("killed")
        super().put(key, body)


@pytest.fixture
def lake(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def shop(lake: Watched) -> ExperimentLake:
    return ExperimentLake(lake)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def analyzed(lake: Watched, table: MemoryTable, *, now: datetime = NOW, study: Study = STUDY) -> Analyzed:
    (one,) = run([study], objects=lake, table=table, secret=SECRET, now=now)[1]
    return one


def results(
    lake: Watched, table: MemoryTable, *, now: datetime = NOW, study: Study = STUDY
) -> ExperimentResults:
    found = analyzed(lake, table, now=now, study=study).results
    assert found is not None
    return found


def counts(found: ExperimentResults) -> dict[str, tuple[int, int, int, int, float]]:
    def row(one: VariantResults) -> tuple[int, int, int, int, float]:
        return (one.users, one.impressions, one.clicks, one.conversions, one.revenue)

    return {one.name: row(one) for one in found.variants}


def state_of(lake: Watched) -> TotalsState:
    found = lake.load(experiment_state(EXPERIMENT))
    assert found is not None
    return decode_state(found[0])


def test_users_are_counted_by_variant_with_what_they_did_after_their_first_exposure(
    lake, shop, table
) -> None:
    shop.visit("ann", "control", START + timedelta(hours=1), clicks=1)
    shop.visit("bob", "new", START + timedelta(hours=1), clicks=2, revenue=8.0, dwell=30)
    shop.visit("bob", "new", START + timedelta(hours=9), clicks=1)
    shop.flush()
    found = results(lake, table)
    assert counts(found) == {"control": (1, 10, 1, 0, 0), "new": (1, 20, 3, 1, 8)}
    assert found.started_at == START + timedelta(hours=1)
    assert table.results([EXPERIMENT]) == [found]
    stored = lake.load(experiment_results(NOW, EXPERIMENT))
    assert stored is not None
    assert stored[0].count(b"\n") == 1


def test_a_second_run_reads_only_what_is_new(lake, shop, table) -> None:
    shop.visit("ann", "control", START, clicks=1)
    shop.flush()
    first = results(lake, table)
    assert len(lake.read) == 2
    lake.read.clear()
    assert counts(results(lake, table)) == counts(first)
    assert lake.read == []
    shop.visit("bob", "new", NOW - timedelta(hours=1), clicks=1)
    shop.flush()
    assert counts(results(lake, table))["new"] == (1, 10, 1, 0, 0)
    assert len(lake.read) == 2


def test_an_object_that_is_late_is_found_while_the_stream_may_hold_it(lake, shop, table) -> None:
    shop.visit("ann", "control", START)
    shop.flush()
    results(lake, table)
    results(lake, table, now=NOW + timedelta(days=4))
    shop.visit("bob", "new", START, clicks=3)
    shop.flush()
    assert counts(results(lake, table, now=NOW + timedelta(days=4, hours=1)))["new"] == (1, 10, 3, 0, 0)


def test_an_analysis_that_paused_for_weeks_goes_on_where_it_was(lake, shop, table) -> None:
    shop.visit("ann", "control", START)
    shop.flush()
    results(lake, table)
    shop.visit("bob", "new", NOW + timedelta(hours=1), clicks=3)
    shop.flush()
    assert counts(results(lake, table, now=NOW + timedelta(days=30)))["new"] == (1, 10, 3, 0, 0)


def test_an_event_that_is_sent_twice_or_lies_in_two_objects_counts_once(lake, shop, table) -> None:
    receipt = shop.visit("ann", "new", START, clicks=1)
    again = {"user_key": "ann", "occurred_at": START + timedelta(minutes=2), "recommendation_id": receipt}
    shop.events.append(event("click", "sku-0", event_id="another-id", **again))
    twice = list(shop.events)
    shop.flush()
    assert counts(results(lake, table))["new"] == (1, 10, 1, 0, 0)
    shop.events += twice
    shop.flush()
    assert counts(results(lake, table))["new"] == (1, 10, 1, 0, 0)
    assert len(lake.read) == 3


def test_an_object_that_is_overwritten_with_more_in_it_is_read_again(lake, shop, table) -> None:
    shop.visit("ann", "new", START, clicks=1)
    before = list(shop.exposures)
    shop.flush(name="retried")
    results(lake, table)
    shop.exposures += before
    shop.visit("bob", "new", START)
    shop.flush(name="retried")
    assert counts(results(lake, table))["new"] == (2, 20, 1, 0, 0)


def test_only_receipts_count_that_are_genuine_the_users_own_and_cover_the_item(lake, shop, table) -> None:
    receipt = shop.visit("ann", "new", START)
    shop.visit("bob", "new", START)
    later = {"occurred_at": START + timedelta(minutes=5)}
    shop.events += [
        event("click", "sku-0", user_key="bob", recommendation_id=receipt, **later),
        event("click", "sku-99", user_key="ann", recommendation_id=receipt, **later),
        event("click", "sku-0", user_key="ann", recommendation_id=receipt[:-4] + "AAAA", **later),
        event("click", "sku-0", user_key="ann", **later),
    ]
    shop.flush()
    assert counts(results(lake, table))["new"] == (2, 20, 0, 0, 0)


def test_testers_bots_and_those_seen_in_two_variants_are_left_out_and_counted(lake, shop, table) -> None:
    shop.visit("ann", "new", START)
    shop.visit("tester", "new", START)
    shop.visit("tester", "control", START, forced=True, clicks=5)
    shop.visit("crawler", "new", START, bot=True, clicks=5)
    shop.visit("both", "new", START)
    shop.visit("both", "control", START + timedelta(hours=1))
    shop.flush()
    one = analyzed(lake, table)
    assert one.results is not None
    assert counts(one.results) == {"control": (0, 0, 0, 0, 0), "new": (1, 10, 0, 0, 0)}
    assert (one.forced, one.bots, one.results.crossed_over) == (1, 1, 1)


def test_outcomes_of_users_whose_exposure_never_came_are_not_counted(lake, shop, table) -> None:
    shop.visit("ann", "new", START, clicks=4, exposed=False)
    shop.visit("bob", "control", START)
    shop.flush()
    assert counts(results(lake, table))["new"] == (0, 0, 0, 0, 0)


def test_the_days_before_the_experiment_are_read_once_as_covariates(lake, shop, table) -> None:
    shop.visit("ann", None, START - timedelta(days=5), clicks=3, revenue=7.0)
    shop.visit("ann", None, START - timedelta(days=15), clicks=9)
    shop.visit("ann", "new", START + timedelta(hours=1), clicks=1)
    shop.visit("ann", None, START + timedelta(hours=2), clicks=2)
    shop.flush()
    results(lake, table)
    totals = state_of(lake).totals(("control", "new"))
    assert (totals.clicks_before.tolist(), totals.impressions_before.tolist()) == ([3], [10])
    assert totals.revenue_before.tolist() == [7]
    assert totals.clicks.tolist() == [1]


def test_sessions_may_be_the_unit(lake, shop, table) -> None:
    study = Study(design=DESIGN, starts_at=START, by_session=True)
    shop.visit("ann", "new", START, clicks=1, session="morning")
    shop.visit("ann", "control", START + timedelta(hours=9), clicks=2, session="evening")
    shop.visit("bob", "control", START, clicks=5)
    shop.flush()
    found = results(lake, table, study=study)
    assert counts(found) == {"control": (1, 10, 2, 0, 0), "new": (1, 10, 1, 0, 0)}
    assert found.crossed_over == 0


def test_users_are_told_apart_by_the_facts_that_the_experiment_is_stratified_by(lake, shop, table) -> None:
    for user in range(80):
        variant, country = ("control", "new")[user % 2], ("DE", "NO")[user // 2 % 2]
        shop.visit(f"user-{user}", variant, START, clicks=1 + user % 3, country=country)
    shop.visit("nomad", "new", START, country="DE")
    shop.visit("nomad", "new", START + timedelta(days=1), country="NO")
    shop.flush()
    found = results(lake, table, study=Study(design=DESIGN, starts_at=START, strata=("country",)))
    state = state_of(lake)
    assert sorted(state.strata) == ["country=DE", "country=NO"]
    of_germany = state.strata.index("country=DE")
    assert (state.totals(("control", "new")).stratum == of_germany).sum() == 41
    assert "stratified" in found.variants[1].comparisons[0].method


def test_of_two_runs_at_once_one_keeps_its_state_and_the_other_steps_back(
    lake, shop, table, tmp_path
) -> None:
    shop.visit("ann", "new", START, clicks=1)
    shop.flush()

    class Overtaken(Watched):
        def bodies(self, keys: Sequence[str]):
            results(lake, table)
            return super().bodies(keys)

    late = analyzed(Overtaken(tmp_path), table)
    assert (late.results, late.reason, late.failed) == (None, "another run was faster", False)
    assert counts(table.results([EXPERIMENT])[0])["new"] == (1, 10, 1, 0, 0)
    assert counts(results(lake, table))["new"] == (1, 10, 1, 0, 0)


@pytest.mark.parametrize("where", ["experiments/state", "experiments/results"])
def test_a_run_that_is_killed_in_between_is_made_good_by_the_next(lake, shop, table, where: str) -> None:
    shop.visit("ann", "new", START, clicks=1)
    shop.flush()
    results(lake, table)
    shop.visit("bob", "new", START, clicks=2)
    shop.flush()
    lake.dies_at = where
    with pytest.raises(ConnectionResetError):
        analyzed(lake, table)
    lake.dies_at = ""
    assert counts(results(lake, table))["new"] == (2, 20, 3, 0, 0)
    assert lake.load(experiment_results(NOW, EXPERIMENT)) is not None


def test_a_run_without_time_for_the_whole_lake_is_gone_on_with_by_the_next(
    lake, shop, table, monkeypatch
) -> None:
    monkeypatch.setattr("training.experimentation.lake_reader.CHUNK_OBJECTS", 1)
    for hour in range(6):
        shop.visit(f"user-{hour}", "new", START + timedelta(hours=hour), clicks=1)
        shop.flush()

    def a_bit() -> tuple[int, int]:
        progress, _ = run([STUDY], objects=lake, table=table, secret=SECRET, now=NOW, go_on=lambda: False)
        return progress.objects, progress.left

    assert a_bit() == (1, 11)
    assert [a_bit()[1] for _ in range(11)] == list(range(10, -1, -1))
    assert len(lake.read) == len(set(lake.read)) == 12
    assert counts(table.results([EXPERIMENT])[0])["new"] == (6, 60, 6, 0, 0)


def test_a_damaged_object_is_passed_over_once_and_named(lake, shop, table) -> None:
    shop.visit("ann", "new", START)
    shop.flush()
    lake.put(f"events/date={START:%Y-%m-%d}/broken.jsonl.gz", b"not gzip")
    lake.put(f"exposures/date={START:%Y-%m-%d}/broken.jsonl.gz", pack([b'{"not": "an exposure"}']))
    progress, _ = run([STUDY], objects=lake, table=table, secret=SECRET, now=NOW)
    assert sorted(key.split("/")[0] for key in progress.damaged) == ["events", "exposures"]
    progress, (one,) = run([STUDY], objects=lake, table=table, secret=SECRET, now=NOW)
    assert (progress.damaged, progress.objects) == ([], 0)
    assert one.results is not None
    assert one.results.users == 1


def test_an_experiment_whose_state_is_damaged_fails_alone_and_loudly(lake, shop, table) -> None:
    other = Study(design=ExperimentDesign(name="other", surface="home", arms=DESIGN.arms), starts_at=START)
    lake.put(experiment_state("other"), b"damaged")
    shop.visit("ann", "new", START)
    shop.flush()
    _, done = run([other, STUDY], objects=lake, table=table, secret=SECRET, now=NOW)
    assert {one.name: one.failed for one in done} == {"other": True, EXPERIMENT: False}
    assert [row.experiment for row in table.results(table.analyzed())] == [EXPERIMENT]


def test_two_experiments_share_the_reading(lake, shop, table) -> None:
    other = Study(design=ExperimentDesign(name="other", surface="home", arms=DESIGN.arms), starts_at=START)
    shop.visit("ann", "new", START)
    shop.flush()
    run([STUDY, other], objects=lake, table=table, secret=SECRET, now=NOW)
    assert len(lake.read) == 2


def test_an_experiment_that_ended_is_analyzed_until_its_receipts_expired_and_then_no_more(
    lake, shop, table
) -> None:
    ended = Study(design=DESIGN, starts_at=START, ends_at=NOW)
    shop.visit("ann", "new", NOW - timedelta(hours=1))
    shop.flush()
    results(lake, table, study=ended, now=NOW + timedelta(days=1))
    shop.visit("bob", "new", NOW - timedelta(hours=1), clicks=2)
    shop.flush()
    last = results(lake, table, study=ended, now=NOW + timedelta(days=8))
    assert counts(last)["new"] == (2, 20, 2, 0, 0)
    lake.read.clear()
    after = analyzed(lake, table, study=ended, now=NOW + timedelta(days=9))
    assert (after.results, after.failed) == (None, False)
    assert "ended" in after.reason
    assert lake.read == []
    assert table.results([EXPERIMENT]) == [last]


def test_an_experiment_that_was_killed_before_its_last_results_is_not_closed(lake, shop, table) -> None:
    ended = Study(design=DESIGN, starts_at=START, ends_at=NOW)
    shop.visit("ann", "new", START)
    shop.flush()
    lake.dies_at = "experiments/results"
    with pytest.raises(ConnectionResetError):
        analyzed(lake, table, study=ended, now=NOW + timedelta(days=8))
    lake.dies_at = ""
    assert results(lake, table, study=ended, now=NOW + timedelta(days=8)).users == 1
    assert state_of(lake).closed


def test_an_experiment_that_has_not_begun_is_waited_for(lake, table) -> None:
    later = Study(design=DESIGN, starts_at=NOW + timedelta(days=1))
    one = analyzed(lake, table, study=later)
    assert (one.results, one.failed) == (None, False)
    assert "begins on 2026-01-16" in one.reason
    assert lake.load(experiment_state(EXPERIMENT)) is None


def test_without_any_object_there_is_a_verdict_and_no_figure(lake, table) -> None:
    found = results(lake, table)
    assert (found.users, found.started_at) == (0, None)
    assert found.verdict


def test_a_look_a_day_is_kept_however_often_a_day_is_analyzed(lake, shop, table) -> None:
    for user in range(40):
        variant = "new" if user % 2 else "control"
        shop.visit(f"user-{user}", variant, START + timedelta(minutes=user), clicks=user % 3)
    shop.flush()
    for hours in (0, 1, 2, 24, 25, 48):
        found = results(lake, table, now=NOW + timedelta(hours=hours))
    assert [look.at - NOW for look in found.looks] == [timedelta(hours=hours) for hours in (2, 25, 48)]


def test_an_analysis_of_an_earlier_time_does_not_replace_a_later_one(lake, shop, table) -> None:
    shop.visit("ann", "new", START)
    shop.flush()
    latest = results(lake, table, now=NOW + timedelta(hours=1))
    assert analyzed(lake, table, now=NOW).reason == "later results are stored already"
    assert table.results([EXPERIMENT]) == [latest]


def test_a_folder_refuses_to_overwrite_what_was_changed_since_it_was_read(lake) -> None:
    tag = lake.save("a", b"1", instead_of=None)
    with pytest.raises(Conflict):
        lake.save("a", b"2", instead_of=None)
    lake.save("a", b"2", instead_of=tag)
    with pytest.raises(Conflict):
        lake.save("a", b"3", instead_of=tag)


def test_equal_lakes_make_equal_states(tmp_path) -> None:
    made = []
    for name in ("one", "two"):
        lake, table = Watched(tmp_path / name), MemoryTable()
        shop = ExperimentLake(lake)
        for user in range(9):
            shop.visit(f"user-{user}", "new", START, clicks=user)
        shop.flush()
        results(lake, table)
        made.append((encode_state(state_of(lake)), table.experiments))
    assert made[0] == made[1]
    assert state_of(lake).left_out(LeftOut.CROSSED) == 0
