"""The ranker's examples: labels among candidates, a sample of the rest, nothing from the future."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from factories import NOW, event
from personalization.events import Event, Item
from personalization.features import FEATURES
from personalization.model_tables import Floats, entries_at
from personalization.profiles import at_seconds
from training.dataset import Dataset, make_dataset
from training.impressions import ATTRIBUTION_SECONDS, Impressions
from training.knowledge import Knowledge
from training.lessons import Lessons, label_weights
from training.modelling import train_on
from training.ranker import NothingToLearnError, _sampled, collect_examples, leaves, train_ranker
from training.split import NEVER, Split, Stage

USERS, ITEMS, LENGTH = 150, 260, 12
CATALOGUE = [Item(item_id=f"sku-{number:03}") for number in range(ITEMS)]


def log(chance: np.random.Generator) -> list[Event]:
    """Users walk through the catalogue in steps of about one; every item is next to its neighbours."""
    events = []
    for user in range(USERS):
        walk = (chance.integers(ITEMS) + np.cumsum(chance.choice([1, 1, 2, 3], LENGTH))) % ITEMS
        start = NOW + timedelta(minutes=int(chance.integers(600)))
        pause = timedelta(hours=7)
        events += [
            event(
                "purchase" if place % 3 == 0 else "click",
                f"sku-{item:03}",
                user_key=f"user-{user:03}",
                event_id=f"{user}-{place}",
                occurred_at=start + place * pause,
            )
            for place, item in enumerate(walk.tolist())
        ]
    return events


def made(how: Split) -> Dataset:
    events = log(np.random.default_rng(7))
    return make_dataset(lambda: iter(events), CATALOGUE, how=how)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return made(Split.LAST)


def test_a_group_holds_its_labels_and_a_sample_of_the_other_candidates(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.ranker.NEGATIVES", 30)
    knowledge = dataset.knowledge(Stage.TRAIN)
    users = knowledge.labels.users
    whole = collect_examples(knowledge, users)
    sampled = collect_examples(knowledge, users, sample=np.random.default_rng(1))
    assert whole.matrix.shape == (whole.groups.sum(), len(FEATURES))
    assert len(sampled.groups) == len(whole.groups) > 50
    assert sampled.label.sum() == whole.label.sum() >= len(whole.groups)
    others = sampled.groups - np.add.reduceat(sampled.label, np.cumsum(sampled.groups) - sampled.groups)
    assert others.max() == 30
    assert others.min() > 20


def test_items_nobody_had_acted_on_yet_teach_nothing(dataset: Dataset) -> None:
    age = FEATURES.index("item_age_days")
    knowledge = dataset.knowledge(Stage.TRAIN)
    examples = collect_examples(knowledge, knowledge.labels.users)
    assert (examples.matrix[:, age] >= 0).all()


def assert_blind(knowledge: Knowledge, cut: Mapping[str, int]) -> None:
    """Nothing that a stage computes may change when the log ends, for each user, at their cut."""
    kept = [one for one in log(np.random.default_rng(7)) if at_seconds(one.received_at) < cut[one.user_key]]
    without = make_dataset(lambda: iter(kept), CATALOGUE).knowledge(Stage.SERVE)
    blind = replace(without, labels=knowledge.labels)
    users = knowledge.labels.users
    for block, other in zip(knowledge.blocks(users), blind.blocks(users), strict=True):
        np.testing.assert_array_equal(block.candidates.item, other.candidates.item)
        np.testing.assert_array_equal(block.features(), other.features())


def with_slates(events: list[Event]) -> list[Event]:
    """Show each act's item among others twice in the minutes before, and others alone the day before."""
    chance = np.random.default_rng(8)
    shown = []
    for one in events:
        for before in (timedelta(minutes=1), timedelta(minutes=2), timedelta(days=1)):
            drawn = [f"sku-{item:03}" for item in chance.choice(ITEMS, 4, replace=False).tolist()]
            items = drawn if before >= timedelta(days=1) else [*drawn, one.item_id or ""]
            at = one.occurred_at - before
            slate = chance.permutation(items).tolist()
            shown.append(event("impression", item_ids=slate, user_key=one.user_key, occurred_at=at))
    return [*shown, *events]


def attraction(shown: Impressions) -> Floats:
    """Acted on against shown, by item: what any count of impressions is made of."""
    clicks = np.bincount(shown.item, weights=shown.clicked, minlength=ITEMS)
    return (clicks / np.maximum(np.bincount(shown.item, minlength=ITEMS), 1)).astype(np.float32)


def blind_impressions(events: list[Event], cut: Mapping[str, int]) -> Impressions:
    """Read a log that ends, for each user, at their cut, without the slates of the visit before it."""

    def is_known(one: Event) -> bool:
        visit = ATTRIBUTION_SECONDS if one.item_ids else 0
        return at_seconds(one.received_at) < cut[one.user_key] - visit

    ends = [event("consent_changed", None, consent="none", occurred_at=NOW + timedelta(days=90))]
    known = [*filter(is_known, events), *ends]
    return make_dataset(lambda: iter(known), CATALOGUE).shown(Stage.SERVE)


@pytest.mark.parametrize("how", [Split.LAST, Split.TIME])
@pytest.mark.parametrize("stage", [Stage.TRAIN, Stage.TEST])
def test_the_slate_that_led_to_a_label_is_not_known(how: Split, stage: Stage) -> None:
    events = with_slates(log(np.random.default_rng(7)))
    split = make_dataset(lambda: iter(events), CATALOGUE, how=how)
    assert len(split.labels[stage].users) > 30
    found, blind = split.shown(stage), blind_impressions(events, cuts(split, stage))
    assert found.clicked.sum() > 100
    np.testing.assert_array_equal(attraction(found), attraction(blind))
    np.testing.assert_array_equal(label_weights(found, ITEMS), label_weights(blind, ITEMS))


def test_a_planted_slate_is_caught() -> None:
    """Counting all that was shown before the cut, the label's own slate among it, changes the counts."""
    events = with_slates(log(np.random.default_rng(7)))
    split = make_dataset(lambda: iter(events), CATALOGUE)
    leaking = split.log.shown.where(split.log.shown.at < split.labels[Stage.TEST].cut[split.log.shown.user])
    blind = blind_impressions(events, cuts(split, Stage.TEST))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(attraction(leaking), attraction(blind))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(label_weights(leaking, ITEMS), label_weights(blind, ITEMS))


def test_what_was_passed_over_is_taught_before_other_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranker.NEGATIVES", 5)
    events = with_slates(log(np.random.default_rng(7)))
    known = make_dataset(lambda: iter(events), CATALOGUE).knowledge(Stage.TRAIN)
    assert known.lessons is not None
    chance = np.random.default_rng(1)
    for block in known.blocks(known.labels.users):
        rows = block.users[block.candidates.user]
        passed = entries_at(known.lessons.passed_over, rows, block.candidates.item)
        chosen = _sampled(block.candidates.user, np.ones(len(rows), dtype=np.bool_), passed, chance)
        for user in range(block.candidates.users):
            own = block.candidates.user == user
            assert passed[own & chosen].sum() == min(passed[own].sum(), 5)
            assert (own & chosen).sum() == 5
    assert known.lessons.passed_over.sum() > 200


def test_no_later_label_is_taught_as_passed_over() -> None:
    """Its visit shows it twice before the act; a window left open would take the first for a no."""
    events = with_slates(log(np.random.default_rng(7)))
    split = make_dataset(lambda: iter(events), CATALOGUE)
    cut, later = split.labels[Stage.TRAIN].cut, split.labels[Stage.TEST]
    users, label = later.users, later.item[later.users]
    taught = []
    for closing in (later.cut, np.full_like(later.cut, NEVER)):
        lessons = Lessons.of(split.log.shown, split.shown(Stage.TRAIN), cut, closing, ITEMS)
        taught.append(entries_at(lessons.passed_over, users, label).mean())
    assert taught[0] < 0.1
    assert taught[1] > 0.9
    known = split.knowledge(Stage.TRAIN).lessons
    assert known is not None
    assert entries_at(known.passed_over, users, label).mean() == taught[0]


def test_labels_of_items_that_were_mostly_shown_at_the_end_weigh_more() -> None:
    chance = np.random.default_rng(1)
    place = np.tile(np.arange(4), 5_000)
    item = chance.random(len(place)) < np.where(place >= 2, 0.9, 0.1)
    clicked = chance.random(len(place)) < 0.4 / (1 + place)
    nobody = np.zeros(len(place), dtype=np.int64)
    shown = Impressions(
        nobody.astype(np.int32), item.astype(np.int32), nobody, place.astype(np.uint8), clicked
    )
    weight = label_weights(shown, 3)
    assert weight[0] < 1 < weight[1]
    assert weight[2] == 1
    assert label_weights(Impressions.none(), 2).tolist() == [1, 1]


def cuts(dataset: Dataset, stage: Stage) -> dict[str, int]:
    return dict(zip(dataset.log.users, dataset.labels[stage].cut.tolist(), strict=True))


@pytest.mark.parametrize("how", [Split.LAST, Split.TIME])
@pytest.mark.parametrize("stage", [Stage.TRAIN, Stage.TEST])
def test_what_comes_from_the_cut_on_reaches_no_feature(how: Split, stage: Stage) -> None:
    split = made(how)
    assert len(split.labels[stage].users) > 30
    assert_blind(split.knowledge(stage), cuts(split, stage))


def test_a_planted_leak_is_caught() -> None:
    """Tables, profiles or possessions of a later stage: each changes what the stage computes."""
    split = made(Split.TIME)
    known, later = split.knowledge(Stage.TRAIN), split.knowledge(Stage.SERVE)
    for leak in ("tables", "profiles", "owned"):
        planted = replace(known, **{leak: getattr(later, leak)})
        with pytest.raises(AssertionError):
            assert_blind(planted, cuts(split, Stage.TRAIN))


def test_events_held_back_are_known_to_the_lists_and_teach_nothing() -> None:
    """A planted leak would show here: whatever the last acts are, tables, labels and examples stay."""
    events = log(np.random.default_rng(7))
    other = [
        msgspec.structs.replace(one, item_id="sku-000") if place % LENGTH == LENGTH - 1 else one
        for place, one in enumerate(events)
    ]
    held, changed = (
        make_dataset(lambda log=log: iter(log), CATALOGUE, hold_last_events=1) for log in (events, other)
    )
    for stage in Stage:
        np.testing.assert_array_equal(held.labels[stage].items, changed.labels[stage].items)
        one, two = held.tables(stage), changed.tables(stage)
        np.testing.assert_array_equal(one.popularity, two.popularity)
        np.testing.assert_array_equal(one.factors, two.factors)
    for stage in (Stage.TRAIN, Stage.TEST):
        assert list(held.profiles[stage].encoded) == list(changed.profiles[stage].encoded)
    assert all("sku-000" in profile.recent for profile in changed.profiles[Stage.SERVE])


def test_equal_seeds_train_equal_models_that_find_the_walk(dataset: Dataset) -> None:
    knowledge = dataset.knowledge(Stage.TRAIN)
    later = dataset.knowledge(Stage.TEST)
    first, again = (train_ranker(knowledge, later, dataset.validated, seed=3, threads=1) for _ in range(2))
    assert first.text == again.text
    assert max(first.curve) > 0.3
    assert next(iter(first.importance)).startswith(("transition", "covisitation"))


def test_a_log_without_labels_among_candidates_is_refused() -> None:
    lonely = make_dataset(lambda: iter([event("click", "a")]))
    with pytest.raises(NothingToLearnError):
        train_on(lonely, seed=1, threads=1)


def test_a_small_log_gets_small_trees() -> None:
    assert [leaves(groups) for groups in (0, 700, 1500, 10**6)] == [7, 7, 15, 31]
