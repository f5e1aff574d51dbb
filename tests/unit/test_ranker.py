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
from personalization.profiles import at_seconds
from training.dataset import Dataset, make_dataset
from training.knowledge import Knowledge
from training.modelling import train_on
from training.ranker import NothingToLearnError, collect_examples, leaves, train_ranker
from training.split import Split, Stage

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
