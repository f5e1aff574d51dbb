"""What operators see of a user: the read path's own answers, and nothing happens by looking."""

from datetime import timedelta

import pytest

from factories import NOW, event, listed
from infrastructure.definitions import read_definitions
from personalization import keys
from personalization.adapters.memory import FixedDefinitions, MemoryTable, StoredState
from personalization.errors import Unavailable
from personalization.events import Item
from personalization.experiments import Assignment, Visitor
from personalization.inspection import RECENT, Inspection, Inspector, summarize
from personalization.lists import DEFAULT_LIMIT
from personalization.names import Source
from personalization.ports import ActiveModel
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply
from personalization.serving import Query, Recommender

QUERY = Query(user_key="user-1", surface="home", limit=DEFAULT_LIMIT)
CATALOGUE = {
    "sku-1": Item(item_id="sku-1", title="Lamp", category="lighting"),
    "sku-2": Item(item_id="sku-2", title="Mug", category="kitchen"),
    "sku-3": Item(item_id="sku-3", title="Bulb", category="lighting"),
}


class Refreshes:
    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, requests: object) -> None:
        self.sent.append(requests)


@pytest.fixture
def table() -> MemoryTable:
    """A model in service; user-1 has a list of the model's, and none of the other variant's."""
    table = MemoryTable(active=ActiveModel("v1", None, 0))
    profile = Profile()
    apply(profile, event("click", "sku-1"))
    table.states["user-1"] = StoredState(encode(profile))
    definitions = read_definitions()
    (experiment,) = definitions.experiments
    treated = (Assignment(experiment.name, experiment.variants[1].name),)
    build = definitions.treatment(Visitor("user-1"), "home", NOW, forced=treated).build
    key = keys.list_key("user-1", surface="home", version="v1", build=build)
    table.write_list(key, listed("a", "b", "c", revision=1), expires_at=0)
    table.write_list(keys.segment_key(keys.POPULAR, version="v1"), listed("p", "q"), expires_at=0)
    return table


def look(table: MemoryTable, query: Query = QUERY) -> Inspection:
    def catalogue(item_ids):
        return {item_id: CATALOGUE[item_id] for item_id in item_ids if item_id in CATALOGUE}

    return Inspector(table, catalogue).inspect(query, read_definitions(), NOW)


def test_each_variant_shows_what_it_would_answer_with_its_own_source(table: MemoryTable) -> None:
    other, model = look(table).variants
    assert [item.item_id for item in model.items] == ["a", "b", "c"]
    assert (model.source, model.label, model.model_version) == (Source.LIST, "Recommended for you", "v1")
    assert [item.item_id for item in other.items] == ["p", "q"]
    assert (other.source, other.label) == (Source.POPULAR, "Popular")


def test_in_an_outage_an_operator_is_told_rather_than_shown_what_stands_in(table: MemoryTable) -> None:
    class Away(MemoryTable):
        def read(self, keys_wanted):
            raise Unavailable("away")

    with pytest.raises(Unavailable):
        look(Away())


def test_the_served_variant_is_what_the_read_path_answers(table: MemoryTable) -> None:
    source = FixedDefinitions(read_definitions())
    recommender = Recommender(table, Refreshes(), source, b"secret", lambda: NOW, lambda: "id")
    for number in range(20):
        query = Query(f"user-{number}", "home", DEFAULT_LIMIT)
        answer = recommender.recommend(query)
        found = look(table, query)
        (served,) = [variant for variant in found.variants if variant.served]
        assert found.assignments == answer.assignments
        assert (list(served.items), served.source, served.label) == (
            answer.items,
            answer.source,
            answer.label,
        )


def test_looking_changes_nothing(table: MemoryTable) -> None:
    before = (dict(table.states), dict(table.lists), table.active)
    look(table)
    assert (table.states, table.lists, table.active) == before


def test_a_surface_without_an_experiment_shows_its_only_way(table: MemoryTable) -> None:
    found = look(table, Query("user-1", "newsletter", 5))
    (only,) = found.variants
    assert (only.experiment, only.served, found.assignments) == (None, True, ())


def test_a_stranger_has_no_profile_and_gets_what_newcomers_get(table: MemoryTable) -> None:
    found = look(table, Query("stranger", "home", 5))
    assert found.profile is None
    assert {variant.source for variant in found.variants} == {Source.POPULAR}


def test_nothing_published_shows_empty_lists() -> None:
    found = look(MemoryTable())
    assert [(variant.source, variant.items) for variant in found.variants] == [(Source.NONE, ())] * 2


def test_the_profile_is_summed_up_newest_first_with_shares_of_known_categories(table: MemoryTable) -> None:
    profile = Profile()
    for age, (kind, item_id) in enumerate(
        [("view", "sku-1"), ("click", "sku-2"), ("like", "sku-3"), ("view", "gone")]
    ):
        apply(profile, event(kind, item_id, occurred_at=NOW - timedelta(minutes=age)))
    apply(profile, event("dwell", "sku-1", value=12.5, occurred_at=NOW + timedelta(seconds=1)))
    apply(profile, event("dislike", "sku-9"))
    found = summarize(profile, lambda _: CATALOGUE)
    assert found is not None
    assert [(act.item_id, act.kind, act.title, act.value) for act in found.recent] == [
        ("sku-1", "dwell", "Lamp", 12.5),
        ("sku-2", "click", "Mug", None),
        ("sku-3", "like", "Bulb", None),
        ("gone", "view", None, None),
    ]
    assert found.categories == (("lighting", 2 / 3), ("kitchen", 1 / 3))
    assert found.counts == {"view": 2, "click": 1, "like": 1, "dwell": 1, "dislike": 1}
    assert found.disliked == ("sku-9",)


def test_a_long_history_is_cut_to_the_newest_acts() -> None:
    profile = Profile()
    for number in range(3 * RECENT):
        apply(profile, event("view", f"i-{number}", occurred_at=NOW + timedelta(seconds=number)))
    asked: list[str] = []
    found = summarize(profile, lambda item_ids: asked.extend(item_ids) or {})
    assert found is not None
    assert len(asked) == len(found.recent) == RECENT
    assert found.recent[0].item_id == f"i-{3 * RECENT - 1}"


def test_an_empty_profile_is_none() -> None:
    assert summarize(Profile(), lambda _: {}) is None


def test_a_variant_says_what_it_chooses(table: MemoryTable) -> None:
    other, model = look(table).variants
    assert other.changes == {"ranker": "covisitation"}
    assert model.changes == {"ranker": "lightgbm", "policy": {"diversity": 0.25}}
