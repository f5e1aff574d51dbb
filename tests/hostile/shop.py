"""The platform under attack: the handlers on moto, a model in service, and the books of honest senders."""

import contextlib
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from random import Random
from typing import Any

import boto3
import msgspec
import pytest

from console_site import results
from contracts.conftest import TABLE
from factories import client_event, listed
from integration.conftest import CONTEXT, Platform, deployed
from personalization import keys, projection
from personalization.adapters.dynamodb import DynamoExperimentStore, DynamoListStore
from personalization.adapters.erasures import S3Erasures
from personalization.archiving import read_lines
from personalization.erasure import requested
from personalization.events import accept, decode_client_event, decode_item
from personalization.identity import user_key
from personalization.ports import ActiveModel, ErasureRequest
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply
from personalization.runtime.observability import logger

HONEST_USERS = 40
_PAGE = 500
_SECRET = b"user-key-secret"


@dataclass
class Shop:
    """Honest entries sent, and what must have become of them."""

    platform: Platform
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    events: list[dict[str, Any]] = field(default_factory=list)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def lately(self) -> str:
        """When all events happened: late for nobody, and ahead of no clock."""
        return (self.started - timedelta(hours=1)).isoformat()

    def honest_event(self, random: Random) -> dict[str, Any]:
        """Build an event that has to be applied."""
        number = len(self.events)
        event = client_event(
            random.choice(("view", "click", "purchase", "impression", "like")),
            event_id=f"honest-{number}",
            user_id=f"honest-{random.randrange(HONEST_USERS)}",
            occurred_at=self.lately,
        )
        self.events.append(event)
        return event

    def honest_item(self, random: Random) -> dict[str, Any]:
        """Build an item that has to be in the catalogue until its next version."""
        item = {"item_id": f"honest-{random.randrange(HONEST_USERS)}", "title": f"version {len(self.items)}"}
        item["price"] = random.randrange(1_000)
        self.items[item["item_id"]] = item
        return item

    def call(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the function that answers a request."""
        answer: dict[str, Any] = self._invoke(function, request)
        return answer

    def settle(self) -> int:
        """Have both consumers read the whole stream; return its number of records."""
        count = 0
        for batch in self._batches():
            count += len(batch["Records"])
            for consumer in ("update_profiles", "archive_events"):
                assert self._invoke(consumer, batch) == {"batchItemFailures": []}
        return count

    def check(self, records: int, accepted: int) -> None:
        """Hold the books: what was accepted is in the stream, the lake and the table, once each."""
        assert records == accepted
        assert self.counted["EventsQuarantined"] == 0
        fates = ("EventsApplied", "EventsDuplicate", "EventsFiltered")
        assert sum(self.counted[fate] for fate in fates) == records
        lines = list(read_lines(line for body in self._objects("events/") for line in body.splitlines()))
        assert len(lines) == records
        arrived = Counter(json.loads(bytes(line.event))["event_id"] for line in lines)
        assert all(arrived[event["event_id"]] == 1 for event in self.events)
        self._check_table()

    def _check_table(self) -> None:
        rows = {
            (row["pk"]["S"], row["sk"]["S"]): row["data"]["B"]
            for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
            for row in page["Items"]
            if "data" in row
        }
        for user, profile in self._profiles().items():
            assert rows[keys.profile_key(user)] == encode(profile)
        for item_id, item in self.items.items():
            expected = decode_item(json.dumps(item).encode())
            assert msgspec.json.decode(rows[keys.item_key(item_id)], type=type(expected)) == expected

    def _profiles(self) -> dict[str, Profile]:
        """Each honest user's profile by a single pass over what they sent."""
        profiles: dict[str, Profile] = {}
        for sent in self.events:
            key = user_key(_SECRET, sent["user_id"])
            parsed = decode_client_event(json.dumps(sent).encode())
            apply(profiles.setdefault(key, Profile()), accept(parsed, user_key=key, received_at=self.started))
        return profiles

    def _invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        handler = import_module(f"functions.{function}.handler").handler
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            answer = handler(event, CONTEXT)
        for line in printed.getvalue().splitlines():
            for name, value in json.loads(line).items() if '"_aws"' in line else ():
                if name.startswith(("Events", "Clicks")):
                    self.counted[name] += round(sum(value))
        return answer

    def _batches(self) -> Iterator[dict[str, Any]]:
        records: Sequence[dict[str, Any]] = self.platform.stream_records()
        for start in range(0, len(records), _PAGE):
            yield {"Records": records[start : start + _PAGE]}

    def _objects(self, prefix: str) -> Iterator[bytes]:
        s3 = boto3.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix):
            for row in page.get("Contents", []):
                yield gzip.decompress(s3.get_object(Bucket="lake", Key=row["Key"])["Body"].read())


@contextlib.contextmanager
def opened() -> Iterator[Shop]:
    """Deploy the platform, put a model in service, and be quiet but for warnings."""
    level = logger.log_level
    with pytest.MonkeyPatch.context() as patch, deployed(patch) as platform:
        store = DynamoListStore(boto3.client("dynamodb"), TABLE)
        for name in (keys.TRENDING, keys.POPULAR):
            items = listed(*(f"sku-{number}" for number in range(60)))
            store.write_list(keys.segment_key(name, version="v1"), items, expires_at=2**31)
        DynamoExperimentStore(boto3.client("dynamodb"), TABLE).write_results(results(datetime.now(UTC)))
        store.activate(ActiveModel(version="v1", previous=None, published_at=0))
        asked = ErasureRequest("qtTmGZt33jMF5WiZlIaovg", 1_768_478_400)
        S3Erasures(boto3.client("s3"), "lake").open(asked, requested(asked))
        # In a transaction moto copies the whole table, while nobody may write to it.
        patch.setattr(projection, "_WRITERS", 1)
        logger.setLevel("WARNING")
        try:
            yield Shop(platform)
        finally:
            logger.setLevel(level)
