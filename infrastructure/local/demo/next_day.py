"""A day that has not come yet, in the lake as `archive_events` would leave it: nobody waits for midnight."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final

import msgspec

from infrastructure.local.demo.logs import LiveEvent
from infrastructure.local.lifecycle import LocalAws
from personalization.adapters.s3 import S3Archive
from personalization.adapters.secrets import read_secret
from personalization.archiving import archive
from personalization.errors import InvalidInput
from personalization.events import Event, accept, decode_client_event, encode_event
from personalization.identity import user_key
from personalization.ports import StreamRecord

_BATCH: Final = 400
_EPOCH: Final = 1
_SHARD: Final = "shardId-000000000000"


def archive_day(aws: LocalAws, live: Sequence[LiveEvent], *, starts: datetime) -> int:
    """Archive the first 24 hours of live events as those of the day that `starts`; return the objects."""
    secret = read_secret(aws.client("secretsmanager"), aws.output("UserKeySecretArn"))
    lake = S3Archive(aws.client("s3"), aws.output("LakeBucketName"))
    batches = list(batched(_events(live, secret, starts), _BATCH, strict=False))
    for number, events in enumerate(batches):
        archive(list(_records(events, number)), epoch=_EPOCH, lake=lake)
    return len(batches)


def _events(live: Sequence[LiveEvent], secret: bytes, starts: datetime) -> Iterator[Event]:
    known = [event for event in live if event.lateness is not None]
    first = min(_received(event) for event in known)
    for event in known:
        received = starts + (_received(event) - first)
        if received < starts + timedelta(days=1):
            try:
                sent = decode_client_event(msgspec.json.encode(event.sent_at(received)))
                visitor = user_key(secret, sent.visitor_id) if sent.visitor_id else ""
                key = user_key(secret, sent.user_id)
                yield accept(sent, user_key=key, visitor_key=visitor, received_at=received)
            except InvalidInput:
                continue


def _received(event: LiveEvent) -> datetime:
    return datetime.fromisoformat(event.body["occurred_at"]) + (event.lateness or timedelta())


def _records(events: Sequence[Event], batch: int) -> Iterator[StreamRecord]:
    for place, event in enumerate(events):
        yield StreamRecord(
            shard=_SHARD,
            sequence_number=str(batch * _BATCH + place + 1),
            partition_key=event.partition_key,
            arrived_at=event.received_at,
            data=encode_event(event),
        )


def midnight(moment: datetime, *, days: int = 0) -> datetime:
    """Return the midnight that begins a moment's day, or one so many days later."""
    return datetime.combine(moment.date(), datetime.min.time(), moment.tzinfo) + timedelta(days=days)


def setting(now: datetime) -> dict[str, Any]:
    """Return the input of a night's execution; a demo's few users are split by time all the same."""
    return {"now": now.isoformat(), "split": "time"}
