"""A policy at work: honoured by all who build lists, found by the read path, its propensities kept."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import sparse

from factories import NOW, event
from personalization import keys
from personalization.adapters.memory import MemoryRefreshQueue, MemoryTable, StoredState
from personalization.events import Event, Item
from personalization.experiments import Definitions, Experiment, Variant, parse_definitions
from personalization.features import FEATURES
from personalization.lists import STORED_ITEMS, ListItem, RecommendationList, decode_list, encode_list
from personalization.model_tables import Tables
from personalization.names import Ranker, Source
from personalization.policies import RELEVANCE, Policy
from personalization.ports import ActiveModel, RefreshRequest
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply, at_seconds
from personalization.ranking import Model
from personalization.refreshing import Refresher
from personalization.registry import Metadata
from personalization.reranking import Doubles
from personalization.serving import Query, Recommender
from personalization.slates import dense
from training.acts import Acts
from training.lists import read_lists, user_lists, write_lists
from training.tables import build_tables

COUNT, NEWCOMERS = 300, 8
EXPLORING = Policy(diversity=0.3, exploration=0.5)


class ByPopularity:
    """A ranker that anybody can follow: what is popular comes first."""

    def predict(self, matrix: np.ndarray) -> Doubles:
        return matrix[:, FEATURES.index("popularity_365d")].astype(float)


@pytest.fixture(scope="module")
def model() -> Model:
    """300 items of 7 categories and 40 tags; the last 8 were published today and nobody has seen them."""
    chance = np.random.default_rng(5)
    fresh = dict.fromkeys(range(COUNT - NEWCOMERS, COUNT), NOW)
    items = [
        Item(
            item_id=f"sku-{number:03}",
            tags=(f"t{number % 40}",),
            category=f"c{number % 7}",
            published_at=fresh.get(number, NOW - timedelta(days=300)),
        )
        for number in range(COUNT)
    ]
    user = np.repeat(np.arange(200), 15)
    item = np.minimum(chance.geometric(0.02, size=len(user)), COUNT - NEWCOMERS) - 1
    at = at_seconds(NOW) - chance.integers(0, 40 * 86_400, size=len(user))
    order = np.lexsort((at, user))
    acts = Acts(user, item[order], at[order], np.ones(len(user), dtype=np.float32))
    tables = build_tables(acts, items, at=at_seconds(NOW))
    metadata = Metadata(
        version="v1",
        trained_at=NOW,
        features=FEATURES,
        events=0,
        users=0,
        items=COUNT,
        data_from=None,
        data_to=None,
        parameters={},
    )
    return Model(metadata, tables, ByPopularity())


def profile(*events: Event) -> Profile:
    made = Profile()
    for one in events or (event("click", "sku-052", occurred_at=NOW - timedelta(hours=9)),):
        apply(made, one)
    return made


def listed(
    model: Model,
    policy: Policy = RELEVANCE,
    *,
    of: Profile | None = None,
    limit: int = STORED_ITEMS,
    seed: int = 1,
) -> tuple[ListItem, ...]:
    (items,) = model.recommend(
        [of or profile()], ranker=Ranker.LIGHTGBM, now=NOW, limit=limit, policy=policy, seeds=[seed]
    )
    return items


def ids(items: tuple[ListItem, ...]) -> list[str]:
    return [item.item_id for item in items]


def test_a_policy_that_has_nothing_to_do_leaves_the_list_as_it_is(model: Model) -> None:
    assert listed(model, Policy(frequency_cap=99)) == listed(model)
    assert all(item.propensity == 1 for item in listed(model))


def test_the_default_policy_adds_nothing_to_what_is_stored(model: Model) -> None:
    assert "propensity" not in msgspec.to_builtins(listed(model)[0])


@pytest.mark.parametrize(
    "policy",
    [EXPLORING, Policy(diversity=1.0), Policy(new_items=0.2), Policy(category_share=0.2, frequency_cap=1)],
)
def test_a_block_is_its_users_one_by_one_and_a_short_list_begins_a_long_one(
    model: Model, policy: Policy
) -> None:
    people = [
        profile(event("click", f"sku-{number:03}"), event("impression", item_ids=("sku-001", "sku-003")))
        for number in range(5)
    ]
    seeds = list(range(5))
    block = model.recommend(people, ranker=Ranker.LIGHTGBM, now=NOW, limit=150, policy=policy, seeds=seeds)
    for person, seed, items in zip(people, seeds, block, strict=True):
        assert listed(model, policy, of=person, seed=seed, limit=150) == items
        assert listed(model, policy, of=person, seed=seed, limit=7) == items[:7]
        assert len(set(ids(items))) == 150


def test_items_of_banned_categories_never_appear_and_the_list_stays_full(model: Model) -> None:
    without = listed(model, Policy(without_categories=("c1", "c2", "unheard of")))
    only = listed(model, Policy(only_categories=("c1", "c2"), without_categories=("c2",)))
    assert len(without) == STORED_ITEMS
    assert {item.category for item in without} == {"c0", "c3", "c4", "c5", "c6"}
    assert {item.category for item in only} == {"c1"}
    assert (
        ids(only)
        == [item.item_id for item in listed(model, limit=COUNT) if item.category == "c1"][:STORED_ITEMS]
    )


def test_one_category_takes_no_more_than_its_share_of_any_beginning(model: Model) -> None:
    items = listed(model, Policy(category_share=0.2))
    for length in (5, 10, 20, STORED_ITEMS):
        assert max(Counter(item.category for item in items[:length]).values()) <= length / 5
    assert len(items) == STORED_ITEMS


def test_what_was_shown_in_vain_too_often_comes_last_until_it_is_clicked(model: Model) -> None:
    first, second, *_ = ids(listed(model))
    shown = [
        event("impression", item_ids=slate, occurred_at=NOW - timedelta(hours=ago))
        for ago, slate in ((8, (first, second)), (5, (first, second)), (2, (first,)))
    ]
    click = event("click", "sku-052", occurred_at=NOW - timedelta(hours=9))
    weary = profile(click, *shown)
    whole, capped = ids(listed(model, of=weary, limit=COUNT)), Policy(frequency_cap=3)
    assert ids(listed(model, capped, of=weary, limit=COUNT)) == [*whole[1:], first]
    assert first not in ids(listed(model, capped, of=weary))
    assert ids(listed(model, of=weary))[0] == first
    back = model.recommend(
        [profile(click, *shown, event("view", first, occurred_at=NOW - timedelta(hours=1)))],
        ranker=Ranker.LIGHTGBM,
        now=NOW,
        limit=3,
        policy=capped,
        repeat=True,
    )
    assert ids(back[0])[0] == first


def new_places(model: Model, policy: Policy, of: Profile) -> list[int]:
    fresh = {f"sku-{number}" for number in range(COUNT - NEWCOMERS, COUNT)}
    items = listed(model, policy, of=of, limit=COUNT)
    return [place for place, item in enumerate(items, 1) if item.item_id in fresh]


FAVOURITES = [event("click", f"sku-{number:03}") for number in (12, 13, 14, 52, 53)]
"""Items whose tags the new ones share."""


def test_new_items_like_what_the_user_knows_get_their_share_of_places(model: Model) -> None:
    unaided, lifted = (
        new_places(model, policy, profile(*FAVOURITES)) for policy in (RELEVANCE, Policy(new_items=0.1))
    )
    assert unaided[0] > STORED_ITEMS >= lifted[0]
    assert all(place >= 10 * number for number, place in enumerate(lifted, 1) if place <= STORED_ITEMS)
    assert listed(model, Policy(new_items=0.1), of=Profile()) == listed(model, of=Profile())


def test_the_lift_of_new_items_fades_with_age_and_with_being_shown(model: Model) -> None:
    slate = tuple(f"sku-{number}" for number in range(COUNT - NEWCOMERS, COUNT))
    shown = [event("impression", item_ids=slate, occurred_at=NOW - timedelta(hours=ago)) for ago in range(3)]
    policy, fan = Policy(new_items=1.0), profile(*FAVOURITES)
    first = new_places(model, policy, fan)[0]
    assert first < new_places(model, policy, profile(*FAVOURITES, *shown))[0]
    days = {
        days: replace(model, tables=replace(model.tables, first_seen=model.tables.first_seen - days * 86_400))
        for days in (10, 14)
    }
    assert first < new_places(days[10], policy, fan)[0]
    assert new_places(days[14], policy, fan) == new_places(days[14], RELEVANCE, fan)


def test_exploration_draws_by_seed_and_tells_the_chances(model: Model) -> None:
    items = listed(model, EXPLORING, seed=7)
    assert items == listed(model, EXPLORING, seed=7)
    assert ids(items) != ids(listed(model, EXPLORING, seed=8))
    assert all(0 < item.propensity < 1 for item in items)
    assert decode_list(encode_list(stored(items))).items == items


def test_a_list_stored_before_there_were_policies_is_read() -> None:
    old = msgspec.msgpack.decode(encode_list(stored(())))
    del old["policy"]
    assert decode_list(msgspec.msgpack.encode(old)) == stored(())


def stored(items: tuple[ListItem, ...]) -> RecommendationList:
    return RecommendationList(
        list_id="l", model_version="v1", ranker=Ranker.LIGHTGBM, revision=1, built_at=0, items=items
    )


@pytest.fixture
def definitions() -> Definitions:
    """Two variants of one ranker that arrange its lists differently."""
    variants = (
        Variant(name="plain", weight=0.5),
        Variant(name="curious", weight=0.5, policy=EXPLORING),
    )
    return Definitions((Experiment(name="policy", surface="home", variants=variants),))


def test_batch_and_refresh_build_the_same_list_and_the_read_path_finds_it(
    model: Model, definitions: Definitions, tmp_path: Path
) -> None:
    users = [f"user-{number}" for number in range(30)]
    owned = sparse.csr_array((len(users), COUNT))
    batch = list(user_lists(model, users, [profile()] * 30, definitions, now=NOW, owned=owned))
    write_lists(batch, tmp_path / "00000.jsonl.gz")
    assert list(read_lists(tmp_path)) == batch
    live, night = (
        MemoryTable(active=ActiveModel("v1", None, 0)),
        MemoryTable(active=ActiveModel("v1", None, 0)),
    )
    states = {user: StoredState(encode(profile())) for user in users}
    live.states = night.states = states
    refresher = Refresher(live, live, lambda _: model, definitions, lambda: NOW, lambda: "new")
    for found in batch:
        night.write_list(found.key, found.recommendations, expires_at=0)
    variants = Counter()
    for user in users:
        assert refresher.refresh(RefreshRequest(user, ("home",))) == 1
        variant = definitions.treatment(user, "home").variant
        variants[variant.name] += 1
        answers = [
            recommender(table, definitions).recommend(Query(user, "home", 20)) for table in (live, night)
        ]
        assert [answer.source for answer in answers] == [Source.LIST] * 2
        assert answers[0].items == answers[1].items
        assert (answers[0].items[0].propensity < 1) is (variant.name == "curious")
    assert min(variants.values()) > 5
    assert {found.recommendations.policy for found in batch} == {RELEVANCE, EXPLORING}


def recommender(table: MemoryTable, definitions: Definitions) -> Recommender:
    return Recommender(table, MemoryRefreshQueue(), definitions, b"secret", lambda: NOW, lambda: "id")


def test_policies_that_say_the_same_are_the_same() -> None:
    zero, half = float("0.0"), float("0.5")
    assert Policy(diversity=zero, exploration=half).digest == Policy(exploration=0.5).digest
    assert Policy(frequency_cap=int(zero)).digest == RELEVANCE.digest == ""


def test_a_variant_names_its_policy_in_the_definitions() -> None:
    text = (
        b'{"experiments": [{"name": "e", "surface": "home", "variants": ['
        b'{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5, "policy": {"diversity": 0.25}}]}]}'
    )
    plain, varied = parse_definitions(text).experiments[0].variants
    assert (plain.policy, varied.policy) == (RELEVANCE, Policy(diversity=0.25))
    assert keys.list_key("u", surface="home", ranker=Ranker.LIGHTGBM, version="v", policy=plain.policy) != (
        keys.list_key("u", surface="home", ranker=Ranker.LIGHTGBM, version="v", policy=varied.policy)
    )


def test_the_similarity_of_a_pool_is_that_part_of_the_whole(model: Model) -> None:
    matrix = model.tables.similarities["content"]
    items = np.array([7, 299, 0, 47, 40])
    whole = matrix.toarray()[np.ix_(items, items)]
    np.testing.assert_allclose(dense(matrix, items), np.maximum(whole, whole.T))
    assert dense(matrix, items[:0]).shape == (0, 0)


def test_tables_are_as_the_tests_take_them(model: Model) -> None:
    tables: Tables = model.tables
    assert (tables.popularity[-NEWCOMERS:] == 0).all()
    assert tables.first_seen[-1] == at_seconds(NOW)
