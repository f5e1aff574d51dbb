"""The fast loop on moto, driven by event source mappings, and an oracle that knows what must come out."""

import contextlib
import gzip
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kinesis.models import kinesis_backends
from rich.console import Console

from contracts.conftest import TABLE, create_table
from factories import NOW
from personalization import projection
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.archiving import read_lines
from personalization.consent import withdraws
from personalization.errors import InvalidInput
from personalization.events import Event, decode_event, encode_event
from personalization.ledger import SeenIds
from personalization.names import Consent
from personalization.profile_encoding import encode
from personalization.profiles import Outcome, Profile, apply, forgotten
from streams.faults import Faults
from streams.mapping import EventSourceMapping, Options
from streams.stream import Stream
from training.persons import Link, Word, holder_of, redirects
from training.rebuild import lake_objects, rebuild

PROFILES = Options(batch_size=20, lanes=2)
LAKE = Options(batch_size=50)
WINDOW = 4
"""Ids remembered of a user: fewer than in service, so that repeats of the stream reach beyond them."""
DEFAULT = Consent.PERSONALIZATION
_STREAM = "events"
_REGION = "us-east-1"
_CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="request-1"
)


@dataclass
class Sent:
    """All that was ever put into the stream: the oracle's only knowledge."""

    events: list[Event] = field(default_factory=list)
    poison: int = 0
    records: int = 0

    def profiles(self, merged_into: Mapping[str, str]) -> dict[str, bytes]:
        """Each user's profile by a single pass over the distinct events, in the order they were sent.

        A visitor's events are those of the user whom they turned out to be.
        """
        profiles: dict[str, Profile] = {visitor: Profile() for visitor in merged_into}
        known: set[tuple[str, str]] = set()
        forgotten_users: set[str] = set()
        for event in self.events:
            if event.user_key and (event.user_key, event.event_id) not in known:
                known.add((event.user_key, event.event_id))
                user = holder_of(event.user_key, merged_into)
                profile = profiles.setdefault(user, Profile())
                if withdraws(event) and (profile.last_at or profile.standing(DEFAULT).personal):
                    # All is received at one time, that of the tombstone, and so is of a life before.
                    forgotten_users.add(user)
                    profile = profiles[user] = forgotten(profile)
                if user not in forgotten_users or event.consent is not None:
                    apply(profile, event)
        return {user: encode(profile) for user, profile in profiles.items()}

    def check_merges(self, merged_into: Mapping[str, str]) -> None:
        """Whoever is merged was named by one of their person, and all who could be merged are."""
        links = [link for link in map(Link.of, self.events) if link is not None]
        words = {visitor: Word(user) for visitor, user in merged_into.items()}
        assert redirects(links, words) == merged_into
        for visitor in merged_into:
            person = holder_of(visitor, merged_into)
            named_by = [link.user for link in links if link.visitor == visitor]
            assert person in [holder_of(user, merged_into) for user in named_by]

    def books(self) -> Counter[str]:
        """How many records have to end as what."""
        books: Counter[str] = Counter(quarantined=self.poison)
        known: set[tuple[str, str]] = set()
        profiles: dict[str, Profile] = {}
        for event in self.events:
            name = (event.user_key, event.event_id)
            if not event.user_key:
                continue
            if name in known:
                books["duplicate"] += 1
            elif apply(profiles.setdefault(event.user_key, Profile()), event) is Outcome.APPLIED:
                books["applied"] += 1
            else:
                books["filtered"] += 1
            known.add(name)
        return books


class World:
    """A table, a lake, a queue and the two consumers of one stream.

    Users are written one after the other, so that the same orders meet the same calls.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.faults = Faults()
        self.sent = Sent()
        self.now = NOW
        self.counted: Counter[str] = Counter()
        self.invocations = 0
        self.dropped = 0
        self._undo = contextlib.ExitStack()
        self._undo.enter_context(mock_aws())
        self._undo.enter_context(_replaced(projection, "_WRITERS", 1))
        self._undo.enter_context(_replaced(SeenIds, "window", WINDOW))
        self._create()
        self._undo.enter_context(self.faults.watching())
        self._batch: Mapping[str, Any] = {}
        self.faults.rival = self._rival
        self._connect()

    def close(self) -> None:
        self._undo.close()
        self.forget_container()

    def put(self, event: Event) -> None:
        self.sent.events.append(event)
        self._put(event.partition_key, encode_event(event))

    def put_poison(self, key: str, data: bytes) -> None:
        """Put what no consumer can read."""
        self.sent.poison += 1
        self._put(key, data)

    def recreate_stream(self) -> None:
        """Read the stream to its end, delete it, and make another of the same name."""
        self.settle()
        self.stream = Stream()
        streams = kinesis_backends[DEFAULT_ACCOUNT_ID][_REGION].streams
        streams[_STREAM].creation_datetime += timedelta(seconds=90)
        self.forget_container()
        self._connect()

    def settle(self) -> None:
        """Read all there is, without faults."""
        self.faults.clear()
        for mapping in self.mappings:
            mapping.drain()
            self.dropped += len(mapping.dropped)
            self.invocations += mapping.invocations
            mapping.dropped.clear()
            mapping.invocations = 0
        self.faults.land()

    def forget_container(self) -> None:
        """Start every function anew: what containers keep is gone."""
        for name, module in list(sys.modules.items()):
            if name.startswith("functions.") and name.endswith(".dependencies"):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    def stored_profiles(self) -> dict[str, bytes]:
        rows = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
        return {
            row["pk"]["S"].removeprefix("USER#"): row["data"]["B"]
            for row in rows
            if row["sk"]["S"] == "PROFILE"
        }

    def merged_into(self) -> dict[str, str]:
        """Visitor -> whom their record says they turned out to be."""
        return {
            row["pk"]["S"].removeprefix("USER#"): row["merged_into"]["S"]
            for row in boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
            if "merged_into" in row
        }

    def rebuilt(self) -> Counter[str]:
        """How the profiles stored compare with what the lake folds to."""
        return rebuild(
            lake_objects(boto3.client("s3"), "lake"),
            DynamoProfileStore(boto3.client("dynamodb"), TABLE),
            DynamoListStore(boto3.client("dynamodb"), TABLE),
            erased={},
            token_secret=b"secret",
            now=self.now,
            new_id=str,
            apply_changes=False,
            console=Console(quiet=True),
        )

    def lake_lines(self) -> list[bytes]:
        """The distinct records of the lake: events as they were sent, poison as its bytes."""
        objects = sorted(self._objects("events/"))
        lines = (line for body in objects for line in gzip.decompress(body[1]).splitlines())
        return [bytes(line.event) or line.raw for line in read_lines(lines)]

    def lake_events(self) -> list[bytes]:
        """Canonical bytes of the lake's readable events, sorted."""
        events = []
        for text in self.lake_lines():
            with contextlib.suppress(InvalidInput):
                events.append(encode_event(decode_event(text)))
        return sorted(events)

    def quarantined(self) -> int:
        return len(self._objects("quarantine/"))

    def check(self) -> None:
        """Everything ends as the oracle says, and nothing is stuck or lost."""
        self.settle()
        assert self.dropped == 0
        merged_into = self.merged_into()
        self.sent.check_merges(merged_into)
        assert self.stored_profiles() == self.sent.profiles(merged_into)
        assert set(self.rebuilt()) <= {"equal"}
        assert len(self.lake_lines()) == self.sent.records
        assert self.lake_events() == sorted(map(encode_event, self.sent.events))
        assert self.quarantined() == self.sent.poison

    def _put(self, key: str, data: bytes) -> None:
        self.sent.records += 1
        self.stream.put(key, data, self.now)

    def _objects(self, prefix: str) -> list[tuple[str, bytes]]:
        s3 = boto3.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix)
        names = [row["Key"] for page in pages for row in page.get("Contents", [])]
        return [(name, s3.get_object(Bucket="lake", Key=name)["Body"].read()) for name in names]

    def _create(self) -> None:
        create_table(boto3.client("dynamodb"))
        boto3.client("kinesis").create_stream(StreamName=_STREAM, ShardCount=1)
        boto3.client("s3").create_bucket(Bucket="lake")
        url = boto3.client("sqs").create_queue(QueueName="refreshes")["QueueUrl"]
        erasures = boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"]
        secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString="secret")["ARN"]
        self.stream = Stream()
        self._undo.enter_context(
            _environment(
                TABLE_NAME=TABLE,
                STREAM_NAME=_STREAM,
                LAKE_BUCKET="lake",
                QUARANTINE_BUCKET="lake",
                REFRESH_QUEUE_URL=url,
                ERASURE_QUEUE_URL=erasures,
                CONSENT_DEFAULT=DEFAULT.value,
                TOKEN_SECRET_ARN=secret,
            )
        )

    def _connect(self) -> None:
        def mapping(invoke: Any, options: Options) -> EventSourceMapping:
            return EventSourceMapping(self.stream, invoke, options, random=self.random, now=lambda: self.now)

        self.profiles = mapping(self._update_profiles, PROFILES)
        self.lake = mapping(self._archive_events, LAKE)
        self.mappings = (self.profiles, self.lake)

    def _update_profiles(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        from functions.update_profiles.handler import handler

        self._batch = batch
        return self._run(handler, batch)

    def _archive_events(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        from functions.archive_events.handler import handler

        return self._run(handler, batch)

    def _run(self, handler: Any, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), self.faults.invocation():
            answer: Mapping[str, Any] = handler(batch, _CONTEXT)
        self._count(printed.getvalue())
        return answer

    def _rival(self) -> None:
        """Let another process handle the batch that is being handled, without faults."""
        from functions.update_profiles.handler import handler

        with self.faults.paused(), contextlib.redirect_stdout(io.StringIO()) as printed:
            handler(self._batch, _CONTEXT)
        self._count(printed.getvalue())

    def _count(self, printed: str) -> None:
        for line in printed.splitlines():
            for name, value in json.loads(line).items() if '"_aws"' in line else ():
                if name.startswith("Events"):
                    self.counted[name] += round(sum(value))


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    import os

    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
