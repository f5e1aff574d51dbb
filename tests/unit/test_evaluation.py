"""Evaluation of a small shop: who is measured, by what, and that a second look sees the same."""

from datetime import timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, event
from personalization.candidates import SOURCES
from personalization.events import Item
from personalization.features import FEATURES
from personalization.model_tables import Floats
from personalization.ranking import REASONS
from personalization.recipe import DEFAULT_OFFERED
from training.dataset import Dataset, make_dataset
from training.evaluation import CUTOFFS, EARLY, GROUPS, MODEL, Evaluation, evaluate, recall_of_sources
from training.measuring import EXAMPLE_ITEMS, EXAMPLES, LIST_LENGTH
from training.split import Stage

ITEMS = 60


class ByFeature:
    """A ranker that trusts one feature."""

    def __init__(self, name: str) -> None:
        self._column = FEATURES.index(name)

    def predict(self, matrix: Floats) -> npt.NDArray[np.float64]:
        return np.nan_to_num(matrix[:, self._column]).astype(np.float64)


RANKERS = {MODEL: ByFeature("covisitation_score"), "the other": ByFeature("user_items")}


def shop(users: int, seed: int = 2, *, content: bool = True) -> Dataset:
    """Users of two tastes and of histories from 1 to 24 items; everybody knows the first item."""
    chance = np.random.default_rng(seed)
    events = []
    for user in range(users):
        taste = ITEMS // 2 * (user % 2)
        liked = [0, *(taste + chance.permutation(ITEMS // 2))[: user % 24]]
        events += [
            event(
                "click",
                f"sku-{item:02}",
                user_key=f"user-{user:03}",
                event_id=f"{user}-{minute}",
                occurred_at=NOW + timedelta(minutes=minute),
            )
            for minute, item in enumerate(liked)
        ]
    items = [
        Item(
            item_id=f"sku-{number:02}",
            title=f"Title {number}",
            tags=(f"t{number // 6}",),
            category=f"c{number // 6}",
        )
        for number in range(ITEMS)
    ]
    return make_dataset(lambda: iter(events), items if content else ())


def judged(dataset: Dataset) -> Evaluation:
    return evaluate(dataset.log, dataset.knowledge(Stage.TEST), RANKERS)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return shop(120)


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> Evaluation:
    return judged(dataset)


def test_evaluating_twice_gives_the_same_bytes(dataset: Dataset, found: Evaluation) -> None:
    assert msgspec.json.encode(judged(dataset)) == msgspec.json.encode(found)


def test_groups_partition_the_users_by_what_was_known_of_them(dataset: Dataset, found: Evaluation) -> None:
    labels, acts = dataset.labels[Stage.TEST], dataset.log.acts
    known = [
        len(set(acts.item[(acts.user == user) & (acts.at < labels.cut[user])].tolist()))
        for user in dataset.evaluated.tolist()
    ]
    assert found.users == len(known) > 90
    assert sum(group.users for group in found.groups.values()) == found.users
    for name, (fewest, most) in GROUPS.items():
        assert found.groups[name].users == sum(fewest <= items <= (most or ITEMS) for items in known) > 0


def test_groups_add_up_to_all_users(found: Evaluation) -> None:
    for method, scores in found.methods.items():
        total = sum(group.users * group.methods[method].ndcg.mean for group in found.groups.values())
        assert total / found.users == pytest.approx(scores.ndcg[10], abs=2e-5)
        for group in found.groups.values():
            for estimate in (group.methods[method].ndcg, group.methods[method].hit_rate):
                assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1


def test_a_source_adds_no_more_than_it_finds_and_no_less_than_nothing(found: Evaluation) -> None:
    alone, added = found.recall_by_source, found.recall_added_by_source
    assert set(added) == set(SOURCES) == set(alone) - {"any"}
    assert all(0 <= added[source] <= alone[source] <= alone["any"] <= 1 for source in SOURCES)
    assert sum(added.values()) <= alone["any"] + 1e-4 * len(SOURCES)
    assert alone["any"] <= sum(alone.values()) + 1e-4 * len(SOURCES)


@given(st.lists(st.lists(st.booleans(), min_size=len(SOURCES), max_size=len(SOURCES)), max_size=12))
def test_a_source_adds_the_users_whose_item_no_other_offers(rows: list[list[bool]]) -> None:
    recall, added = recall_of_sources(np.array(rows, dtype=np.bool_).reshape(-1, len(SOURCES)))
    users = len(rows) or 1
    assert recall["any"] == pytest.approx(sum(map(any, rows)) / users, abs=1e-5)
    for place, source in enumerate(SOURCES):
        without = sum(any(row[:place] + row[place + 1 :]) for row in rows) / users
        assert recall[source] == pytest.approx(sum(row[place] for row in rows) / users, abs=1e-5)
        assert added[source] == pytest.approx(recall["any"] - without, abs=2e-5)
        assert 0 <= added[source] <= recall[source]


def test_a_source_offers_what_is_among_its_candidates(dataset: Dataset, found: Evaluation) -> None:
    knowledge = dataset.knowledge(Stage.TEST)
    (block,) = knowledge.blocks(dataset.evaluated)
    rows = zip(
        block.candidates.user.tolist(), block.candidates.item.tolist(), block.candidates.rank, strict=True
    )
    wanted = knowledge.labels.item[block.users].tolist()
    offering = np.array([~np.isnan(rank) for user, item, rank in rows if item == wanted[user]])
    for place, source in enumerate(SOURCES):
        offered = offering[:, place].sum() / found.users
        assert found.recall_by_source[source] == pytest.approx(offered, abs=1e-5)


def test_recall_is_told_at_each_sources_size_and_among_the_first_twenty(
    dataset: Dataset, found: Evaluation
) -> None:
    knowledge = dataset.knowledge(Stage.TEST)
    (block,) = knowledge.blocks(dataset.evaluated)
    wanted = knowledge.labels.item[block.users]
    hit = block.candidates.item == wanted[block.candidates.user]
    early = block.candidates.rank[hit] <= EARLY
    assert found.offered_by_source == DEFAULT_OFFERED
    for place, source in enumerate(SOURCES):
        alone = early[:, place] & (early.sum(axis=1) == 1)
        assert found.early_recall_by_source[source] == pytest.approx(
            early[:, place].sum() / found.users, abs=1e-5
        )
        assert found.early_recall_added_by_source[source] == pytest.approx(
            alone.sum() / found.users, abs=1e-5
        )
    assert 0 < found.early_recall_by_source["any"] < found.recall_by_source["any"]


def test_lists_are_measured_by_their_first_ten(dataset: Dataset, found: Evaluation) -> None:
    knowledge = dataset.knowledge(Stage.TEST)
    (block,) = knowledge.blocks(dataset.evaluated)
    scores = RANKERS[MODEL].predict(block.features())
    shown = set()
    for user in range(len(block.users)):
        rows = np.flatnonzero(block.candidates.user == user)
        best = sorted(rows, key=lambda row: (-scores[row], block.candidates.item[row]))[:10]
        shown |= set(block.candidates.item[best].tolist())
    assert found.methods[MODEL].coverage == pytest.approx(len(shown) / ITEMS, abs=1e-5)


def test_the_ceiling_of_any_ranker_is_what_the_sources_offer(found: Evaluation) -> None:
    for scores in found.methods.values():
        assert scores.hit_rate[20] <= found.recall_by_source["any"]


def test_with_one_held_out_item_average_precision_is_the_reciprocal_rank(found: Evaluation) -> None:
    for scores in found.methods.values():
        assert scores.map == {k: pytest.approx(scores.mrr[k], abs=2e-5) for k in CUTOFFS}


def test_a_ranker_that_knows_tastes_beats_one_that_knows_nothing(found: Evaluation) -> None:
    model, other = found.methods[MODEL], found.methods["the other"]
    assert model.ndcg[10] > other.ndcg[10]
    assert found.differences["the other"].low > 0
    assert model.miscalibration is not None
    assert other.miscalibration is not None


def test_popular_lists_are_popular_narrow_and_no_news(found: Evaluation) -> None:
    model, popular = found.methods[MODEL], found.methods["popularity"]
    assert None not in (popular.popularity, popular.novelty, model.novelty, popular.coverage, model.coverage)
    assert popular.popularity > model.popularity
    assert popular.popularity_lift > model.popularity_lift
    assert popular.novelty < model.novelty
    assert popular.coverage <= model.coverage


def test_diversity_trades_accuracy_for_variety_and_begins_at_the_models_own(found: Evaluation) -> None:
    first, *others = found.trade_off
    assert [one.strength for one in found.trade_off] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (first.ndcg, first.low, first.high) == (found.methods[MODEL].ndcg[10], 0.0, 0.0)
    assert first.variety == pytest.approx(found.methods[MODEL].diversity, abs=1e-4)
    varieties = [one.variety for one in found.trade_off]
    assert varieties == sorted(varieties)
    assert varieties[-1] > varieties[0] + 0.1
    assert others[-1].low <= others[-1].ndcg - first.ndcg <= others[-1].high < 0


def test_where_nothing_is_like_anything_there_is_no_trade_off() -> None:
    assert judged(shop(30, content=False)).trade_off == ()


def test_examples_are_spread_over_the_users_and_say_why(dataset: Dataset, found: Evaluation) -> None:
    titles = {item.title for item in dataset.log.items}
    assert len(found.examples) == EXAMPLES
    for example in found.examples:
        assert 0 < len(example.history) <= min(example.known, EXAMPLE_ITEMS)
        assert 0 < len(example.recommended) <= EXAMPLE_ITEMS
        assert {one.reason for one in example.recommended} <= set(REASONS.values())
        assert {example.held_out, *example.history, *(one.item for one in example.recommended)} <= titles
        assert example.held_out not in example.history
        assert 0 <= example.rank <= LIST_LENGTH
        shown = [one.item for one in example.recommended]
        assert (example.held_out in shown) == (0 < example.rank <= EXAMPLE_ITEMS)


def test_an_examples_history_begins_with_the_newest() -> None:
    (example,) = judged(shop(2)).examples
    assert example.history == ("Title 0",)
    visits = [("sku-05", 1), ("sku-03", 2), ("sku-04", 3), ("sku-09", 4)]
    events = [event("click", item, occurred_at=NOW + timedelta(minutes=at)) for item, at in visits]
    (example,) = judged(make_dataset(lambda: iter(events))).examples
    assert example.history == ("sku-04", "sku-03", "sku-05")
    assert example.held_out == "sku-09"


@pytest.mark.parametrize("users", [1, 2])
def test_a_log_with_nobody_to_evaluate_says_so(users: int) -> None:
    empty = judged(shop(users))
    assert empty.users == users - 1
    assert len(empty.examples) == users - 1
    assert sum(group.users for group in empty.groups.values()) == users - 1
    assert all(scores.ndcg.keys() == set(CUTOFFS) for scores in empty.methods.values())
    msgspec.json.encode(empty)


def test_of_many_users_an_even_sample_is_measured(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, found: Evaluation
) -> None:
    monkeypatch.setattr("training.evaluation.MAX_EVALUATED_USERS", 40)
    sampled = judged(dataset)
    assert sampled.users == sum(group.users for group in sampled.groups.values()) == 40 < found.users
    assert sampled.methods[MODEL].ndcg[10] == pytest.approx(found.methods[MODEL].ndcg[10], abs=0.15)
