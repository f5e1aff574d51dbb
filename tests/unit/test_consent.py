"""Consent: what may enter, who is asked how often, and how a mind is changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, client_event, event, listed, record
from personalization import keys
from personalization.adapters.memory import (
    FixedDefinitions,
    MemoryArchive,
    MemoryErasureQueue,
    MemoryEventStream,
    MemoryQuarantine,
    MemoryRefreshQueue,
    MemoryTable,
)
from personalization.consent import EFFECTIVE_SECONDS, Standing, admitted
from personalization.consent_cache import MAX_USERS, ConsentCache
from personalization.errors import InvalidEvent, Unavailable
from personalization.events import ABOUT_AN_ITEM, Event, EventType, encode_event
from personalization.experiments import NO_EXPERIMENTS
from personalization.ingestion import Receipt, ingest_events
from personalization.names import Consent
from personalization.ports import ActiveModel, RefreshRequest
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply, at_seconds, forgotten
from personalization.projection import Projection, Projector
from personalization.refreshing import Refresher
from personalization.withdrawal import ConsentDesk
from training.acts import collect
from training.lists import StoredList
from training.publishing import Publisher

KEY = "key-ann"


@dataclass
class CountingTable(MemoryTable):
    asked: list[str] = field(default_factory=list)
    down: bool = False

    def standings(self, user_keys):
        self.asked += user_keys
        if self.down:
            raise Unavailable("down")
        return super().standings(user_keys)


@dataclass
class Shop:
    """One container that takes events in, the stream, and what reads it."""

    default: Consent = Consent.PERSONALIZATION
    table: CountingTable = field(default_factory=CountingTable)
    stream: MemoryEventStream = field(default_factory=MemoryEventStream)
    erasures: MemoryErasureQueue = field(default_factory=MemoryErasureQueue)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.ids = map(str, count())
        self.consents = ConsentCache(self.table, self.default)

    def post(self, *events: dict[str, object]) -> Receipt:
        return ingest_events(
            json.dumps(events).encode(),
            stream=self.stream,
            consents=self.consents,
            user_key=lambda text: f"key-{text}".replace("\n", "."),
            is_bot=lambda _: False,
            received_at=self.now,
        )

    def click(self, item: str = "sku-1", **fields: object) -> Receipt:
        return self.post(
            client_event(event_id=next(self.ids), item_id=item, occurred_at=self.now.isoformat(), **fields)
        )

    def say(self, consent: str) -> Receipt:
        return self.post(
            client_event(
                "consent_changed",
                event_id=next(self.ids),
                occurred_at=self.now.isoformat(),
                consent=consent,
            )
        )

    def put(self, consent: str) -> Standing:
        desk = ConsentDesk(
            self.table, self.stream, self.erasures, self.default, lambda: self.now, lambda: next(self.ids)
        )
        return desk.change(KEY, Consent(consent))

    def project(self, events: Sequence[Event] | None = None) -> Projection:
        projector = Projector(
            profiles=self.table,
            catalog=self.table,
            quarantine=MemoryQuarantine(),
            refreshes=MemoryRefreshQueue(),
            erasures=self.erasures,
            consent_default=self.default,
            token_secret=b"secret",
            epoch=1,
            clock=lambda: self.now,
            new_id=lambda: next(self.ids),
        )
        rows = self.stream.events if events is None else events
        return projector.project([record(one, number) for number, one in enumerate(rows, 1)])

    def pass_time(self, seconds: float = EFFECTIVE_SECONDS) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def profile(self) -> Profile:
        return self.table.load([KEY])[KEY].profile


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind is not EventType.ITEM_UPSERTED])
def test_of_who_agreed_to_counting_only_what_happened_to_items_enters(kind: EventType) -> None:
    functional = Standing(Consent.FUNCTIONAL)
    sent = event(kind, consent="none" if kind is EventType.CONSENT_CHANGED else None, session_id="s")
    if kind in ABOUT_AN_ITEM | {EventType.IMPRESSION}:
        kept = admitted(sent, functional, name=lambda _: "nobody")
        assert (kept.user_key, kept.session_id, kept.event_id) == ("", None, "nobody")
        assert b"user-1" not in encode_event(kept)
    elif kind is EventType.CONSENT_CHANGED:
        kept = admitted(sent, functional, name=lambda _: "word")
        assert (kept.user_key, kept.session_id, kept.consent) == ("user-1", None, "none")
    else:
        with pytest.raises(InvalidEvent, match="no_consent"):
            admitted(sent, functional, name=lambda _: "nobody")


def test_a_clients_retry_of_an_anonymous_event_counts_once() -> None:
    shop = Shop(Consent.FUNCTIONAL)
    sent = client_event("purchase", event_id="e", occurred_at=NOW.isoformat())
    shop.post(sent, client_event("purchase", event_id="f", occurred_at=NOW.isoformat()))
    shop.pass_time(90)
    shop.post(sent)
    assert len(collect(shop.stream.events).anonymous) == 2
    assert shop.project().outcomes.total() == 0


def test_a_user_is_asked_for_once_in_some_seconds() -> None:
    shop = Shop()
    for _ in range(3):
        shop.click()
    assert shop.table.asked == [KEY]
    shop.pass_time()
    shop.click()
    assert shop.table.asked == [KEY, KEY]


def test_what_is_kept_of_users_is_bounded() -> None:
    cache = ConsentCache(MemoryTable(), Consent.NONE)
    for start in range(0, 3 * MAX_USERS, 500):
        users = [str(number) for number in range(start, start + 500)]
        assert cache.of(users, NOW) == dict.fromkeys(users, Standing(Consent.NONE))
    assert len(cache._kept) <= MAX_USERS


def test_when_nobody_can_tell_who_consented_nothing_is_taken() -> None:
    shop = Shop()
    shop.click()
    shop.table.down = True
    shop.pass_time(1)
    assert shop.click().accepted == 1, "known from a second ago"
    shop.pass_time()
    with pytest.raises(Unavailable):
        shop.click()
    assert len(shop.stream.events) == 2


def test_agreeing_and_the_events_after_it_may_come_in_one_request() -> None:
    shop = Shop(Consent.FUNCTIONAL)
    word = client_event(
        "consent_changed", event_id="w", occurred_at=NOW.isoformat(), consent="personalization"
    )
    shop.post(word, client_event(event_id="e", occurred_at=NOW.isoformat()))
    shop.project()
    assert list(shop.profile.recent) == ["sku-1"]


def test_a_word_that_was_overruled_before_it_came_raises_nothing() -> None:
    shop = Shop()
    shop.put("none")
    old = client_event(
        "consent_changed",
        event_id="w",
        occurred_at=(NOW - timedelta(days=9)).isoformat(),
        consent="personalization",
    )
    receipt = shop.post(old, client_event(event_id="e", occurred_at=NOW.isoformat()))
    assert [row.code for row in receipt.rejected] == ["no_consent"]
    shop.project()
    assert shop.profile.standing(shop.default).consent is Consent.NONE


def test_words_under_one_event_id_all_count() -> None:
    shop = Shop()
    for consent in ("personalization", "none"):
        sent = {"event_id": "w", "occurred_at": shop.now.isoformat(), "consent": consent}
        shop.post(client_event("consent_changed", **sent))
        shop.pass_time(1)
    shop.project()
    assert shop.profile.standing(shop.default).consent is Consent.NONE


def test_the_last_of_several_changes_within_a_second_counts() -> None:
    shop = Shop()
    for consent in ("none", "personalization", "functional", "personalization"):
        assert shop.put(consent).consent == consent
    shop.project()
    assert shop.profile.standing(shop.default).personal


def test_a_change_takes_effect_though_others_write_the_profile() -> None:
    class Contended(CountingTable):
        rivals = 2

        def save(self, user_key, state, *, version, now):
            if self.rivals:
                self.rivals -= 1
                rival = self.load([user_key])[user_key]
                apply(rival.profile, event("click", f"rival-{self.rivals}"))
                super().save(user_key, rival, version=f"rival-{self.rivals}", now=now)
            super().save(user_key, state, version=version, now=now)

    shop = Shop(table=Contended())
    assert shop.put("none").consent is Consent.NONE
    assert shop.profile == forgotten(shop.profile)


def test_an_erasure_that_cannot_be_queued_is_not_forgotten() -> None:
    shop = Shop()
    shop.click()
    shop.say("none")
    send = shop.erasures.send
    shop.erasures.send = lambda _: (_ for _ in ()).throw(Unavailable("down"))
    assert shop.project().failed == ["1"]
    shop.erasures.send = send
    assert shop.project().failed == []
    assert [row.user_key for row in shop.erasures.requests] == [KEY]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["click", "none", "functional", "personalization", "put none", "put personalization"]
        ),
        st.floats(0, 12),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(ACTS, st.randoms(use_true_random=False))
def test_in_any_order_events_and_words_end_in_the_same_profile(rows, random) -> None:
    """Live, and from what rests in the lake, shuffled and repeated: the same bytes; and training's acts."""
    shop = Shop()
    for what, seconds, settle in rows:
        shop.pass_time(seconds)
        if what == "click":
            shop.click(f"sku-{len(shop.stream.events)}")
        elif what.startswith("put "):
            shop.put(what.removeprefix("put "))
        else:
            shop.say(what)
        if settle:
            shop.project()
    shop.project()
    live = encode(shop.profile)
    rest = [one for one in shop.stream.events if one.user_key]
    shuffled = random.sample(rest, k=len(rest))
    profile = Profile()
    for one in [*shuffled, *(one for one in rest if one.consent)]:
        apply(profile, one)
    assert encode(profile) == live
    if not profile.standing(shop.default).personal:
        assert profile == forgotten(profile)
    log = collect(shuffled)
    assert {log.items[item].item_id for item in log.acts.item.tolist()} == set(profile.recent)


def test_no_list_is_written_for_who_withholds_consent_or_did_since_the_night_began(tmp_path) -> None:
    shop = Shop()
    users = {"silent": (), "no": ("none",), "back": ("none", "personalization"), "yes": ("personalization",)}
    for user, words in users.items():
        state = shop.table.load([user])[user]
        for number, word in enumerate(words):
            at = NOW + timedelta(seconds=number)
            apply(state.profile, event("consent_changed", None, consent=word, occurred_at=at))
        shop.table.save(user, state, version="v", now=NOW)
    lists = [StoredList(*keys.list_key(user, surface="home", version="v1"), listed("a")) for user in users]
    publisher = Publisher(MemoryArchive(), shop.table, shop.table, NOW)
    assert publisher.publish(tmp_path, "v1", lists) == 2
    assert {keys.user_of(key) for key in shop.table.lists} == {"silent", "yes"}


@pytest.mark.parametrize("default", list(Consent))
def test_a_refresh_builds_nothing_without_consent(default: Consent) -> None:
    table = MemoryTable(active=ActiveModel("v1", None, 0))

    def model(version: str):
        raise AssertionError(f"{version} was asked for")

    definitions = FixedDefinitions(NO_EXPERIMENTS)
    refresher = Refresher(
        table, table, model, definitions, lambda: NOW, lambda: "id", consent_default=default
    )
    if default is Consent.PERSONALIZATION:
        with pytest.raises(AssertionError, match="v1 was asked for"):
            refresher.refresh(RefreshRequest(KEY))
    else:
        assert refresher.refresh(RefreshRequest(KEY)) == 0


def test_acts_that_name_nobody_make_items_popular_and_nothing_else() -> None:
    nobody = {"user_key": "", "anonymous": True}
    log = collect([event("click", "a"), *(event("click", "b", event_id=str(n), **nobody) for n in range(5))])
    assert (log.users, len(log.acts), len(log.anonymous), log.events) == (("user-1",), 1, 5, 1)
    assert set(log.anonymous.at.tolist()) == {at_seconds(NOW)}
