"""Somebody asks to be forgotten; the clock runs until the receipt is complete, and everything is searched."""

import gzip
import json
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from infrastructure.local.demo.client import ApiClient
from infrastructure.local.lifecycle import LocalAws
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsRefreshQueue
from personalization.identity import user_key
from personalization.keys import ERASURES
from personalization.ports import RefreshRequest

LEFT: Final = frozenset({"runs"})
"""What a night of training works on, for twelve hours: it goes when all is looked through again."""
WITHIN_SECONDS: Final = 600.0
"""So soon is somebody forgotten."""
_PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 2.0
_TOMBSTONE: Final = "PROFILE"
Json = dict[str, Any]


@dataclass(frozen=True)
class Forgotten:
    """What came of it.

    Attributes
    ----------
    seconds
        From the request to the complete receipt.
    before, after
        Where the person was mentioned: objects by their first folder, records by their kind.
    """

    seconds: float
    receipt: Json
    before: Counter[str]
    after: Counter[str]

    @property
    def as_announced(self) -> bool:
        """Whether it took minutes, found something, and left nothing but what a night may still need."""
        return (
            self.receipt["status"] == "complete"
            and self.seconds < WITHIN_SECONDS
            and {"events", "exposures", "lists"} <= self.before.keys()
            and self.after.keys() <= LEFT
        )


@dataclass(frozen=True)
class Forgetting:
    """One person of the demo, and all that rests of them."""

    aws: LocalAws
    client: ApiClient
    user_id: str

    @property
    def key(self) -> str:
        """The pseudonym: only who holds the secret can tell it."""
        secret = read_secret(self.aws.client("secretsmanager"), self.aws.output("UserKeySecretArn"))
        return user_key(secret, self.user_id)

    def prepare(self) -> None:
        """Have the person come by once more, so that there is something of every kind to forget."""
        answer = self.client.recommendations(self.user_id, surface="home")
        act = {
            "event_id": f"last-click-{time.time_ns()}",
            "event_type": "click",
            "user_id": self.user_id,
            "item_id": answer["items"][0]["item_id"],
            "occurred_at": datetime.now(UTC).isoformat(),
            "surface": "home",
        }
        self.client.send([act])
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not {"events", "exposures", "lists"} <= self.traces().keys():
            time.sleep(_POLL_SECONDS)

    def forget(self) -> Forgotten:
        """Ask, and wait for the receipt; a refresh that is queued meanwhile tries to bring them back."""
        before = self.traces()
        started = time.monotonic()
        receipt = self.client.forget(self.user_id)
        refreshes = SqsRefreshQueue(self.aws.client("sqs"), self.aws.output("RefreshQueueUrl"))
        refreshes.send({RefreshRequest(self.key, ("home",)): 0})
        while receipt["status"] != "complete" and time.monotonic() - started < WITHIN_SECONDS:
            time.sleep(_POLL_SECONDS)
            receipt = self.client.erasure(receipt["erasure_id"])
        return Forgotten(time.monotonic() - started, receipt, before, self.traces())

    def traces(self) -> Counter[str]:
        """Count what mentions the person, but for the tombstones. Cost: a get for each object there is."""
        name = self.key.encode()
        found: Counter[str] = Counter()
        for key, body in self._objects():
            if not key.startswith(ERASURES) and (name in _text(key, body) or name in key.encode()):
                found[key.partition("/")[0]] += 1
        pages = (
            self.aws.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.aws.output("TableName"),
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"USER#{self.key}"}},
            )
        )
        rows = [row for page in pages for row in page["Items"]]
        found["lists"] += sum(row["sk"]["S"] != _TOMBSTONE for row in rows)
        found["profile"] += sum(row["sk"]["S"] == _TOMBSTONE and "erased_at" not in row for row in rows)
        return +found

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        client = self.aws.client("s3")
        for bucket in (self.aws.output("LakeBucketName"), self.aws.output("ModelBucketName")):
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for row in page.get("Contents", []):
                    yield row["Key"], client.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()


def _text(key: str, body: bytes) -> bytes:
    """Return what an object says, unpacked, and what the quarantine keeps as base64."""
    text = gzip.decompress(body) if key.endswith(".gz") else body
    if key.startswith("quarantine/"):
        text += b64decode(json.loads(text).get("data", ""))
    return text
