"""What is kept where under each consent: docs/consent.md, held row by row through real handlers, on moto."""

import gzip
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from factories import client_event, delivered, listed
from functions.archive_events.handler import handler as archive_events
from functions.archive_exposures.handler import handler as archive_exposures
from functions.get_recommendations.dependencies import dependencies as reading
from functions.get_recommendations.dependencies import keyless
from functions.get_recommendations.handler import handler as get_recommendations
from functions.ingest_events.dependencies import dependencies as taking_events
from functions.ingest_events.handler import handler as ingest_events
from functions.put_consent.handler import handler as put_consent
from functions.update_profiles.handler import handler as update_profiles
from infrastructure.definitions import as_json, read_definitions
from infrastructure.local.layout import ROOT
from integration.conftest import CONTEXT, Platform
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.memory import MemoryArchive
from personalization.archiving import read_events
from personalization.definitions import parse_definitions
from personalization.events import Event, decode_event
from personalization.experiments import Visitor
from personalization.identity import user_key
from personalization.names import Consent, Ranker
from personalization.profiles import Profile, forgotten
from personalization.runtime.observability import logger
from training.acts import collect
from training.lists import StoredList
from training.publishing import Publisher
from training.rebuild import lake_objects, rebuild

ANN = user_key(b"user-key-secret", "ann")
UNDER_THE_KEY, WITHOUT_A_KEY, NOTHING = "under the user's key", "without a key", "nothing"
VISIT = "visit-17"


def table_of_the_page() -> dict[str, dict[str, str]]:
    """Place -> consent -> what is said to be kept there."""
    page = (ROOT / "docs" / "consent.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if "|" in line]
    start = next(number for number, row in enumerate(rows) if row[0] == "place")
    states = [cell.strip("`") for cell in rows[start][1:]]
    kept: dict[str, dict[str, str]] = {}
    for row in rows[start + 2 :]:
        if len(row) != len(states) + 1:
            break
        kept[row[0]] = dict(zip(states, row[1:], strict=True))
    return kept


PAGE = table_of_the_page()


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the functions log, line by line as CloudWatch gets it."""
    (handler,) = logger.handlers
    written = StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@dataclass
class Session:
    """One user's visit under one consent, and where to look afterwards."""

    platform: Platform
    log: StringIO
    work: Path
    receipts: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    read: int = 0

    def say(self, consent: str) -> dict[str, Any]:
        status, answer = self.platform.request(
            put_consent, pathParameters={"user_id": "ann"}, body=json.dumps({"consent": consent})
        )
        assert status == 200
        return answer

    def wait(self) -> None:
        """Let the time pass that a container goes by what it read, of a consent or a model."""
        for kept in (taking_events, reading, keyless):
            kept.cache_clear()

    def act(self, *names: str, **fields: Any) -> dict[str, Any]:
        events = [
            client_event(
                name, event_id=f"{name}-{len(self.receipts)}", occurred_at=_now(), session_id=VISIT, **fields
            )
            for name in names
        ]
        status, receipt = self.platform.request(ingest_events, body=json.dumps(events))
        assert status == 202
        assert receipt["accepted"] + len(receipt["rejected"]) == len(events)
        self.receipts.append(receipt)
        return receipt

    def settle(self) -> None:
        """Have the consumers read what is new in the stream."""
        records = self.platform.stream_records()
        for consumer in (update_profiles, archive_events):
            assert consumer({"Records": records[self.read :]}, CONTEXT) == {"batchItemFailures": []}
        self.read = len(records)

    def publish(self) -> int:
        """Publish what a night may have made of the lake, a list for the user and one for all."""
        (self.work / "model").mkdir(exist_ok=True)
        shared = keys.segment_key(keys.TRENDING, version="v1")
        lists = [
            StoredList(*_own_list(), listed("sku-1", "sku-2", ranker=Ranker.LIGHTGBM)),
            StoredList(*shared, listed("sku-3")),
        ]
        table = boto3.client("dynamodb")
        publisher = Publisher(
            MemoryArchive(), DynamoListStore(table, "table"), self.profiles, datetime.now(UTC)
        )
        return publisher.publish(self.work / "model", "v1", lists)

    def ask(self) -> dict[str, Any]:
        status, self.answer = self.platform.request(
            get_recommendations,
            pathParameters={"user_id": "ann"},
            queryStringParameters={"session_id": VISIT},
        )
        assert status == 200
        return self.answer

    def whole_visit(self, consent: str) -> None:
        """Consent, look, act, and look again after a night."""
        self.say(consent)
        self.ask()
        token = self.answer["recommendation_id"]
        self.act("impression", recommendation_id=token, context={"country": "DE", "device": "tv"})
        self.act("click", "purchase", recommendation_id=token)
        self.settle()
        self.publish()
        self.wait()
        self.log.truncate(self.log.seek(0))
        self.ask()
        archive_exposures(delivered(*self.log.getvalue().splitlines()), CONTEXT)

    @property
    def profiles(self) -> DynamoProfileStore:
        return DynamoProfileStore(boto3.client("dynamodb"), "table")

    @property
    def profile(self) -> Profile:
        return self.profiles.load([ANN])[ANN].profile

    def stream(self) -> list[Event]:
        return [decode_event(b64decode(row["kinesis"]["data"])) for row in self.platform.stream_records()]

    def lake(self) -> list[Event]:
        lines = (line for body in self.objects("events/") for line in body.splitlines())
        return list(read_events(lines))

    def objects(self, prefix: str) -> list[bytes]:
        s3 = boto3.client("s3")
        found = s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
        return [gzip.decompress(s3.get_object(Bucket="lake", Key=row["Key"])["Body"].read()) for row in found]


@pytest.fixture
def session(platform: Platform, log: StringIO, tmp_path: Path) -> Session:
    return Session(platform, log, tmp_path)


def _own_list() -> keys.Key:
    """Where the user's list is, in the variant that they are in."""
    definitions = parse_definitions(as_json(read_definitions()).encode())
    treatment = definitions.treatment(Visitor(ANN, VISIT), "home", datetime.now(UTC))
    return keys.list_key(ANN, surface="home", version="v1", build=treatment.build)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _kept(events: list[Event]) -> str:
    """How events are kept, but for the word; that what names nobody tells no more than it may."""
    acts = [event for event in events if event.consent is None]
    for event in acts:
        if not event.user_key:
            assert event.anonymous
            assert (event.session_id, event.recommendation_id, event.context.device) == (None, None, None)
            assert event.occurred_at.second == event.received_at.microsecond == 0
    keyed = {event.user_key for event in acts}
    assert len(keyed) <= 1
    return NOTHING if not acts else UNDER_THE_KEY if keyed == {ANN} else WITHOUT_A_KEY


def _answer_to_events(session: Session) -> str:
    codes = {row["code"] for receipt in session.receipts for row in receipt["rejected"]}
    return f"rejected: {', '.join(codes)}" if codes else "accepted"


def _popularity(session: Session) -> str:
    log = collect(session.lake())
    return "counts" if len(log.acts) + len(log.anonymous) == 2 else NOTHING


def _lists(session: Session) -> str:
    row = DynamoListStore(boto3.client("dynamodb"), "table").read([_own_list()])
    return "published" if row.lists else NOTHING


def _logged(session: Session) -> str:
    return UNDER_THE_KEY if ANN in session.log.getvalue() else NOTHING


LOOK: dict[str, Callable[[Session], str]] = {
    "answer to events": _answer_to_events,
    "stream": lambda session: _kept(session.stream()),
    "lake, events": lambda session: _kept(session.lake()),
    "table, profile": lambda session: "what was done" if session.profile.last_at else NOTHING,
    "table, lists": _lists,
    "refresh queue": lambda session: "a request" if session.platform.queued() else NOTHING,
    "popularity": _popularity,
    "answer to a read": lambda session: {
        "stale_list": "the user's own list",
        "trending": "a list for everybody",
    }[session.answer["source"]],
    "variant of an experiment": lambda session: "by the user" if session.answer["assignments"] else NOTHING,
    "log of `get_recommendations`": _logged,
    "lake, exposures": lambda session: (
        UNDER_THE_KEY if any(ANN.encode() in body for body in session.objects("exposures/")) else NOTHING
    ),
    "the word itself": lambda session: (
        UNDER_THE_KEY
        if session.profile.consent
        and [event.user_key for event in session.stream() if event.consent] == [ANN]
        and [event.user_key for event in session.lake() if event.consent] == [ANN]
        else NOTHING
    ),
}


def test_the_page_tells_of_every_place_that_is_looked_at_and_of_every_consent() -> None:
    assert set(PAGE) == set(LOOK)
    assert all(set(row) == set(Consent) for row in PAGE.values())


@pytest.mark.parametrize("consent", list(Consent))
def test_each_place_holds_what_the_page_says(session: Session, consent: str) -> None:
    session.whole_visit(consent)
    assert {place: look(session) for place, look in LOOK.items()} == {
        place: row[consent] for place, row in PAGE.items()
    }
    assert session.answer["consent"] == consent


@pytest.mark.parametrize("consent", [Consent.FUNCTIONAL, Consent.NONE])
def test_without_consent_nothing_that_tells_of_the_visit_is_anywhere(session: Session, consent: str) -> None:
    """Not the id, the key, the session or a receipt, in the bytes of stream, lake, log or table."""
    session.whole_visit(consent)
    acts = [event for event in session.stream() if event.consent is None]
    rows = boto3.client("dynamodb").scan(TableName="table")["Items"]
    own = [row for row in rows if ANN in row["pk"]["S"]]
    assert [row["sk"]["S"] for row in own] == ["PROFILE"]
    assert session.profile == forgotten(session.profile)
    assert "expires_at" not in own[0]
    everything = str([acts, rows, session.objects(""), session.log.getvalue()])
    assert VISIT not in everything
    assert '"ann"' not in everything
    assert str(acts).count(ANN) == 0


@pytest.mark.parametrize("consent", [Consent.FUNCTIONAL, Consent.NONE])
def test_taking_consent_back_forgets_at_once_and_queues_the_rest(session: Session, consent: str) -> None:
    session.whole_visit(Consent.PERSONALIZATION)
    assert session.ask()["source"] == "stale_list"
    before = int(datetime.now(UTC).timestamp())
    assert session.say(consent) == {"consent": consent, "in_force_within_seconds": 5}
    assert session.ask()["source"] == "trending"
    assert session.profile == forgotten(session.profile)
    (request,) = session.platform.erasures()
    assert request["user_key"] == ANN
    assert request["requested_at"] > before + 5
    assert session.profiles.load([ANN])[ANN].erased_at == request["requested_at"]
    session.settle()
    assert session.platform.erasures() == [], "asked for once, though the word came by the stream as well"


def test_events_that_were_under_way_when_consent_was_taken_back_never_come_back(session: Session) -> None:
    session.say(Consent.PERSONALIZATION)
    session.act("click")
    session.say(Consent.NONE)
    session.say(Consent.PERSONALIZATION)
    session.settle()
    assert session.profile == forgotten(session.profile)
    assert not len(collect(session.lake()).acts)


def test_a_word_among_events_counts_for_those_after_it_and_the_rest_follows(session: Session) -> None:
    session.act("click")
    session.settle()
    events = [
        client_event("consent_changed", event_id="w", consent="none", occurred_at=_now()),
        client_event("click", event_id="x", occurred_at=_now()),
    ]
    _, receipt = session.platform.request(ingest_events, body=json.dumps(events))
    assert (receipt["accepted"], [row["code"] for row in receipt["rejected"]]) == (1, ["no_consent"])
    assert [row["code"] for row in session.act("click")["rejected"]] == ["no_consent"]
    session.settle()
    assert session.profile == forgotten(session.profile)
    assert session.ask()["consent"] == "none"
    assert [row["user_key"] for row in session.platform.erasures()] == [ANN]


def test_where_people_are_asked_first_silence_is_functional_and_a_no_costs_no_erasure(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_DEFAULT", "functional")
    session.act("click", "impression")
    assert session.ask()["consent"] == "functional"
    session.say(Consent.NONE)
    session.settle()
    assert _kept(session.lake()) == WITHOUT_A_KEY
    assert session.platform.erasures() == []


def test_a_profile_rebuilt_from_the_lake_equals_the_live_one(session: Session) -> None:
    for consent in (Consent.PERSONALIZATION, Consent.NONE, Consent.PERSONALIZATION):
        session.say(consent)
        session.act("click")
        session.wait()
        session.act("click", "purchase")
        session.settle()
    live = session.profile
    assert live.since > 0
    data = boto3.client("dynamodb")
    outcomes = rebuild(
        lake_objects(boto3.client("s3"), "lake"),
        session.profiles,
        DynamoListStore(data, "table"),
        erased={},
        token_secret=b"token-secret",
        now=datetime.now(UTC),
        new_id=str,
        apply_changes=False,
        console=Console(quiet=True),
    )
    assert outcomes == {"equal": 1}


@pytest.mark.parametrize(
    ("user_id", "body", "code"),
    [
        ("ann", '{"consent": "all"}', "invalid_field"),
        ("ann", "{}", "invalid_field"),
        ("ann", '{"consent": "none", "x": 1}', "invalid_field"),
        ("ann", "nonsense", "invalid_json"),
        ("ann", "", "invalid_json"),
        ("", '{"consent": "none"}', "invalid_user_id"),
        ("a\n", '{"consent": "none"}', "invalid_user_id"),
    ],
    ids=["unknown word", "no word", "more than a word", "nonsense", "empty", "nobody", "no printable id"],
)
def test_a_bad_word_changes_nothing_and_says_why(
    platform: Platform, user_id: str, body: str, code: str
) -> None:
    status, problem = platform.request(put_consent, pathParameters={"user_id": user_id}, body=body)
    assert (status, problem["code"]) == (400, code)
    assert platform.stream_records() == []


def test_an_app_speaks_for_its_own_user_only(platform: Platform) -> None:
    status, problem = platform.request(
        put_consent,
        pathParameters={"user_id": "ann"},
        body='{"consent": "personalization"}',
        requestContext={"authorizer": {"jwt": {"claims": {"sub": "eve"}}}},
    )
    assert (status, problem["code"]) == (403, "not_your_user")
    assert platform.stream_records() == []


def test_without_the_table_nothing_is_taken_in(platform: Platform) -> None:
    boto3.client("dynamodb").delete_table(TableName="table")
    status, _ = platform.request(ingest_events, body=json.dumps(client_event(occurred_at=_now())))
    assert status >= 500
    assert platform.stream_records() == []
