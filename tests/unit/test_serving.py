"""The read path: the right list, the right rung of the ladder, one call."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import pytest

from factories import NOW, event, listed
from infrastructure.definitions import read_definitions
from personalization import keys
from personalization.adapters.dynamodb import MAX_BATCH_GET
from personalization.adapters.memory import FixedDefinitions, MemoryRefreshQueue, MemoryTable, StoredState
from personalization.deadlines import NEVER
from personalization.events import Context
from personalization.experiments import Visitor
from personalization.keys import Key
from personalization.lists import encode_list
from personalization.names import Source
from personalization.ports import ActiveModel, RefreshRequest, Snapshot
from personalization.profile_encoding import encode
from personalization.profiles import Facts, Profile, apply
from personalization.serving import LABELS, Query, Recommendations, Recommender
from personalization.shared import CACHE_SECONDS, SharedReader, no_copy
from personalization.tokens import verify

QUERY = Query(user_key="user-1", surface="home", limit=3)


@dataclass
class CountingTable(MemoryTable):
    """Counts the calls a request costs."""

    calls: int = 0

    def read(self, keys_wanted: Sequence[Key]) -> Snapshot:
        self.calls += 1
        return super().read(keys_wanted)


DEFINITIONS = read_definitions()
BUILD = DEFINITIONS.treatment(Visitor("user-1"), "home", NOW).build


@dataclass
class Shop:
    """A published model, and a recommender in front of it."""

    table: CountingTable = field(default_factory=CountingTable)
    queue: MemoryRefreshQueue = field(default_factory=MemoryRefreshQueue)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.recommender = Recommender(
            store=self.table,
            refreshes=self.queue,
            definitions=FixedDefinitions(DEFINITIONS),
            token_secret=b"secret",
            clock=lambda: self.now,
            new_id=lambda: "new-list",
        )

    def publish(self, *, version: str = "v1", **shared: list[str]) -> "Shop":
        self.table.activate(ActiveModel(version=version, previous=None, published_at=0))
        for name, items in shared.items():
            key = keys.segment_key(name.replace("__", "=").replace("_and_", ","), version=version)
            self.table.lists[key] = encode_list(listed(*items, version=version))
        return self

    def own_list(self, *items: str, revision: int = 0, version: str = "v1") -> None:
        key = keys.list_key("user-1", surface="home", version=version, build=BUILD)
        own = listed(*items, version=version, ranker=BUILD.ranker, revision=revision)
        self.table.lists[key] = encode_list(own)

    def acts(self, *acts: tuple[str, str]) -> None:
        profile = Profile()
        for kind, item in acts:
            apply(profile, event(kind, item))
        self.table.states["user-1"] = StoredState(encode(profile))

    def ask(self, query: Query = QUERY) -> Recommendations:
        return self.recommender.recommend(query)


def shown(answer: Recommendations) -> list[str]:
    return [item.item_id for item in answer.items]


def test_the_users_own_list_is_served_in_order() -> None:
    shop = Shop().publish(popular=["p"])
    shop.own_list("a", "b", "c", "d")
    answer = shop.ask()
    assert (shown(answer), answer.source, answer.model_version) == (["a", "b", "c"], Source.LIST, "v1")
    assert answer.label in ("Recommended for you", "Because of what you viewed")


def test_a_list_older_than_the_latest_act_is_served_and_a_refresh_queued() -> None:
    shop = Shop().publish(popular=["p"])
    shop.own_list("a", revision=0)
    shop.acts(("click", "x"))
    assert shop.ask().source is Source.STALE_LIST
    assert shop.queue.requests == [(RefreshRequest("user-1", ("home",), (BUILD,)), 0)]


def test_a_visitor_who_turned_out_to_be_a_user_is_answered_as_a_stranger() -> None:
    """Their device may be shared: neither the user's list is shown, nor what the visitor themselves did."""
    shop = Shop().publish(popular=["p", "bought"])
    shop.own_list("a", revision=2)
    shop.acts(("purchase", "bought"), ("click", "x"))
    states = shop.table.load(["user-1", "signed-in"])
    states["signed-in"].profile, states["user-1"].profile = states["user-1"].profile, Profile()
    states["user-1"].merged_into = "signed-in"
    shop.table.save_together(states, version="merged", now=NOW)
    answer = shop.ask()
    assert (shown(answer), answer.source, answer.label) == (["p", "bought"], Source.POPULAR, "Popular")
    assert not shop.queue.requests


def test_bought_disliked_excluded_and_unavailable_items_are_left_out() -> None:
    shop = Shop().publish(popular=["p"])
    shop.own_list("bought", "rated", "disliked", "excluded", "gone", "a", "b", revision=3)
    shop.acts(("purchase", "bought"), ("rating", "rated"), ("dislike", "disliked"))
    shop.table.unavailable = {"gone"}
    assert shown(shop.ask(replace(QUERY, exclude=frozenset({"excluded"})))) == ["a", "b"]


@pytest.mark.parametrize(
    ("shared", "source"),
    [
        (
            {"country__DE_and_device__mobile": ["s"], "trending": ["t"], "popular": ["p"]},
            Source.SEGMENT,
        ),
        ({"trending": ["t"], "popular": ["p"]}, Source.TRENDING),
        ({"popular": ["p"]}, Source.POPULAR),
        ({}, Source.NONE),
    ],
)
def test_a_new_user_gets_the_best_rung_there_is(shared: dict[str, list[str]], source: Source) -> None:
    answer = Shop().publish(**shared).ask(replace(QUERY, facts=Facts("DE", "mobile")))
    assert answer.source is source
    assert answer.label == LABELS[source]
    assert shown(answer) == [source.value[0]] * (source is not Source.NONE)


EVERY_RUNG = {
    "country__DE_and_device__mobile_and_referrer__search": ["all"],
    "country__DE_and_device__mobile": ["country, device"],
    "country__DE_and_referrer__search": ["country, referrer"],
    "country__DE": ["country"],
    "device__mobile_and_referrer__search": ["device, referrer"],
    "device__mobile": ["device"],
    "referrer__search": ["referrer"],
    "everybody": ["everybody"],
    "trending": ["t"],
}


@pytest.mark.parametrize(
    ("facts", "published", "item"),
    [
        *((("DE", "mobile", "search"), place, *items) for place, items in enumerate(EVERY_RUNG.values())),
        (("DE", "mobile", None), 0, "country, device"),
        (("DE", None, "search"), 0, "country, referrer"),
        (("DE", None, None), 0, "country"),
        ((None, "mobile", "search"), 0, "device, referrer"),
        ((None, "mobile", None), 0, "device"),
        ((None, None, "search"), 0, "referrer"),
        ((None, None, None), 0, "everybody"),
        (("FR", "tv", "ad"), 0, "everybody"),
        (("FR", "mobile", "ad"), 0, "device"),
        (("FR", "tv", "search"), 0, "referrer"),
    ],
)
def test_what_is_known_of_a_visitor_backs_off_to_the_closest_list_there_is(
    facts: tuple[str | None, ...], published: int, item: str
) -> None:
    shop = Shop().publish(**dict(list(EVERY_RUNG.items())[published:]))
    query = replace(QUERY, facts=Facts(*facts))
    assert shown(shop.ask(query)) == [item]
    shop.table.calls = 0
    assert shown(shop.ask(query)) == [item]
    assert shop.table.calls == 1


def test_facts_that_only_the_profile_knows_back_off_too() -> None:
    shop = Shop().publish(**dict(list(EVERY_RUNG.items())[3:]))
    profile = Profile()
    context = Context(country="de", device="mobile", referrer="https://www.bing.com/")
    apply(profile, event("view", "x", context=context))
    shop.table.states["user-1"] = StoredState(encode(profile))
    assert shown(shop.ask()) == ["everybody"]
    shop.now += timedelta(seconds=CACHE_SECONDS)
    assert shown(shop.ask()) == ["country"]


def test_what_a_request_says_counts_more_than_what_the_profile_knows() -> None:
    shop = Shop().publish(**EVERY_RUNG, referrer__email=["email"])
    profile = Profile()
    apply(profile, event("view", "x", context=Context(referrer="search")))
    shop.table.states["user-1"] = StoredState(encode(profile))
    assert shown(shop.ask(replace(QUERY, facts=Facts(referrer="email")))) == ["email"]


def test_whoever_comes_from_wherever_one_call_reads_all_that_is_wanted() -> None:
    """A call holds at most 100 keys; more would be a second one."""
    shop = Shop().publish(**EVERY_RUNG)
    asked: list[int] = []
    read = shop.table.read

    def counted(keys_wanted: Sequence[Key]) -> Snapshot:
        asked.append(len(keys_wanted))
        return read(keys_wanted)

    shop.table.read = counted  # type: ignore[method-assign]
    for number in range(400):
        shop.now += timedelta(seconds=1)
        shop.ask(replace(QUERY, facts=Facts(f"{number % 90:02}", f"device-{number % 7}", f"m-{number % 6}")))
    assert len(asked) == 401
    assert max(asked) <= MAX_BATCH_GET


def test_before_the_first_publish_the_answer_is_empty_and_says_so() -> None:
    answer = Shop().ask()
    assert (answer.items, answer.source, answer.model_version) == ([], Source.NONE, None)


def test_a_request_costs_one_call_once_the_process_is_warm() -> None:
    shop = Shop().publish(popular=["p"], trending=["t"])
    shop.ask()
    shop.table.calls = 0
    for second in range(40):
        shop.now = NOW + timedelta(seconds=second)
        shop.ask()
    assert shop.table.calls == 40


def test_a_published_version_is_served_within_the_cache_time() -> None:
    shop = Shop().publish(popular=["old"])
    assert shown(shop.ask()) == ["old"]
    shop.publish(version="v2", popular=["new"])
    assert shown(shop.ask()) == ["old"]
    shop.now += timedelta(seconds=CACHE_SECONDS)
    assert shown(shop.ask()) == ["old"]
    assert shown(shop.ask()) == ["new"]


def test_the_receipt_names_the_list_its_user_and_what_was_shown() -> None:
    shop = Shop().publish(popular=["p"])
    shop.own_list("a", "b")
    answer = shop.ask()
    receipt = verify(b"secret", answer.recommendation_id, user_key="user-1", now=NOW)
    assert receipt.covers("a")
    assert receipt.assignments == answer.assignments
    assert receipt.list_id == "list-1"


def test_shared_lists_leave_out_what_is_not_available() -> None:
    shop = Shop().publish(trending=["a", "gone", "b"])
    shop.table.unavailable = {"gone"}
    guards = shop.recommender.guards
    reader = SharedReader(shop.table, shop.recommender.shared, no_copy, guards.table, guards.copy)
    items, version, degraded = reader.items(keys.TRENDING, limit=5, now=NOW, deadline=NEVER)
    assert degraded is None
    assert [item.item_id for item in items] == ["a", "b"]
    assert version == "v1"
    assert msgspec.to_builtins(items[0]) == {"item_id": "a", "score": 1.0}


def test_however_many_segments_there_are_a_switch_reaches_them_all_and_memory_stays_bounded() -> None:
    shop = Shop().publish(popular=["old"])
    for number in range(300):
        shop.ask(replace(QUERY, facts=Facts(device=f"device-{number}")))
    shop.publish(version="v2", popular=["new"])
    shop.now += timedelta(seconds=CACHE_SECONDS)
    shop.ask()
    assert shown(shop.ask(replace(QUERY, facts=Facts(device="device-7")))) == ["new"]
    shop.now += timedelta(seconds=CACHE_SECONDS)
    shop.ask()
    assert len(shop.recommender.shared.lists) < 100
