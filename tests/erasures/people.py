"""A platform that knows people, in every place where something of them may rest, and a search for it."""

import contextlib
import gzip
import io
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import boto3
import msgspec
import numpy as np

from contracts.conftest import TABLE
from factories import client_event, delivered, lambda_of, listed, record
from functions.analyze_experiments.handler import handler as analyze
from functions.archive_events.handler import handler as archive_events
from functions.archive_exposures.handler import handler as archive_exposures
from functions.delete_user.handler import handler as delete_user
from functions.erase_users.handler import handler as erase_users
from functions.get_erasure.handler import handler as get_erasure
from functions.get_user.handler import handler as get_user
from functions.ingest_events.handler import handler as ingest_events
from functions.update_profiles.handler import handler as update_profiles
from integration.conftest import Platform
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.s3 import S3Archive, S3Quarantine
from personalization.exposures import MESSAGE, Assigned, Exposure
from personalization.identity import user_key
from personalization.names import Ranker, Source
from personalization.ports import ActiveModel
from training.experimentation.state_file import decode_state
from training.experimentation.totals_state import hash_of

SECRET: Final = b"user-key-secret"
Json = dict[str, Any]


def key_of(user_id: str) -> str:
    """Name a user as the platform does."""
    return user_key(SECRET, user_id)


@dataclass
class People:
    """Calls the platform's functions, and looks at everything that it holds."""

    platform: Platform
    taken_in: int = 0
    sent: int = 0
    deliveries: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def act(self, *user_ids: str, events: int = 3) -> None:
        """Have each user do something, and both consumers read it."""
        rows = [
            client_event(
                ("click", "view", "purchase")[number % 3],
                event_id=f"{user}-{self.sent}-{number}",
                user_id=user,
                item_id=f"sku-{number}",
                occurred_at=(self.now - timedelta(minutes=5)).isoformat(),
                session_id=f"visit-of-{user}",
            )
            for user in user_ids
            for number in range(events)
        ]
        self.sent += 1
        status, receipt = self.platform.request(ingest_events, body=json.dumps(rows))
        assert (status, receipt["accepted"]) == (202, len(rows))
        self.consume()

    def consume(self, *, again: bool = False) -> None:
        """Have both consumers read what is new in the stream, or all of it `again`."""
        records = self.platform.stream_records()[0 if again else self.taken_in :]
        self.taken_in += 0 if again else len(records)
        with _quiet():
            for handler in (update_profiles, archive_events):
                assert handler({"Records": records}, None) == {"batchItemFailures": []}

    def look(self, *user_ids: str) -> None:
        """Have the answers that users got brought to the lake, in one delivery of the log."""
        rows = [
            Exposure(
                request_id=f"{user}-{self.deliveries}",
                at=datetime.now(UTC),
                user_key=key_of(user),
                surface="home",
                list_id="list-1",
                source=Source.LIST,
                assignments=(Assigned("home-ranking", "model"),),
                session_id=f"visit-of-{user}",
            )
            for user in user_ids
        ]
        self.deliver(
            *(json.dumps({"message": MESSAGE, "exposure": msgspec.to_builtins(row)}) for row in rows)
        )

    def deliver(self, *lines: str) -> None:
        """Deliver lines of the log, each delivery's after those of the one before."""
        self.deliveries += 1
        with _quiet():
            archive_exposures(delivered(*['{"message": "other"}'] * self.deliveries, *lines), None)

    def fill(self, *user_ids: str) -> None:
        """Leave something of each user in every place that there is."""
        store = DynamoListStore(boto3.client("dynamodb"), TABLE)
        store.activate(ActiveModel("v1", None, 0))
        self.act(*user_ids)
        shelf = S3Quarantine(S3Archive(boto3.client("s3"), "lake"))
        for number, user in enumerate(user_ids):
            theirs = keys.list_key(key_of(user), surface="home", version="v1")
            store.write_list(theirs, listed("sku-1", ranker=Ranker.LIGHTGBM), expires_at=2**31)
            poison = record(b'{"user_key": "%b"' % key_of(user).encode(), number, partition_key="other")
            shelf.put(poison, epoch=1, reason="invalid_json")
            shelf.put(record(b"\x00", 100 + number, partition_key=key_of(user)), epoch=1, reason="no")
            log_line = f'{{"message": "recommended", "exposure": {{"user_key": "{key_of(user)}"'
            self.deliver(log_line)
            self.ask(user)
        self.look(*user_ids)
        with _quiet():
            analyze({}, lambda_of())
        self.leave_nights(user_ids)
        self.work()

    def leave_nights(self, user_ids: Sequence[str], *, day: str = "2026-01-14") -> None:
        """Leave what a night of training leaves that knows these users."""
        client = boto3.client("s3")
        names = [key_of(user) for user in user_ids]
        packed = gzip.compress(msgspec.msgpack.encode([(name, b"ids", {1: b"profile"}) for name in names]))
        of_night = {
            f"snapshots/date={day}/profiles.00.msgpack.gz": packed,
            f"snapshots/date={day}/{keys.MANIFEST}": b"{}",
            "runs/r1/dataset/facts.json": msgspec.json.encode({"users": names}),
            "runs/r1/users/00000.msgpack": msgspec.msgpack.encode([names, b"\x00"]),
            "runs/r1/lists/00000.jsonl.gz": gzip.compress(json.dumps({"pk": f"USER#{names}"}).encode()),
            "runs/r1/model/model.txt": b"trees",
        }
        for key, body in of_night.items():
            client.put_object(Bucket="models", Key=key, Body=body)

    def ask(self, user_id: str) -> Json:
        """Ask what is held about a user."""
        status, body = self.platform.request(get_user, pathParameters={"user_id": user_id})
        assert status == 200, body
        return body

    def forget(self, user_id: str) -> Json:
        """Have a user forgotten; return the first receipt."""
        status, body = self.platform.request(delete_user, pathParameters={"user_id": user_id})
        assert status == 202, body
        return body

    def receipt(self, erasure_id: str) -> Json:
        """Ask for a receipt."""
        status, body = self.platform.request(get_erasure, pathParameters={"erasure_id": erasure_id})
        assert status == 200, body
        return body

    def messages(self) -> list[Json]:
        """Take what is queued, as Lambda hands it over."""
        client = boto3.client("sqs")
        url = client.get_queue_url(QueueName="erasures")["QueueUrl"]
        rows = []
        while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for row in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=row["ReceiptHandle"])
            rows += [{"messageId": row["MessageId"], "body": row["Body"]} for row in found]
        return rows

    def work(self, *, milliseconds: int = 900_000) -> Json:
        """Have the queue worked off in one invocation."""
        rows = self.messages()
        return self.invoke({"Records": rows}, milliseconds=milliseconds) if rows else {}

    def invoke(self, event: Json, *, milliseconds: int = 900_000) -> Json:
        """Invoke the worker."""
        with _quiet():
            return erase_users(event, SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds))

    def traces(self, user_id: str) -> Counter[str]:
        """Count where a user is mentioned, packed or not: by prefix of an object, or kind of a record."""
        found: Counter[str] = Counter()
        for key, body in self.objects():
            if _mentions(key, body, user_id):
                folder, of_day, _ = key.partition("/date=")
                found[folder if of_day else folder.partition("/r1")[0].rpartition("/")[0] or "runs"] += 1
        for row in boto3.client("dynamodb").scan(TableName=TABLE)["Items"]:
            if key_of(user_id) in row["pk"]["S"]:
                found[row["sk"]["S"].partition("#")[0]] += 1
        return found

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """Yield every object of lake and models."""
        client = boto3.client("s3")
        for bucket in ("lake", "models"):
            for row in client.list_objects_v2(Bucket=bucket).get("Contents", []):
                yield row["Key"], client.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()

    def later(self, hours: float) -> datetime:
        """Tell the time so much later."""
        return self.now + timedelta(hours=hours)


def _mentions(key: str, body: bytes, user_id: str) -> bool:
    name = key_of(user_id).encode()
    if key.endswith(".zip") and body.startswith(b"PK"):
        state = decode_state(body)
        return bool(np.isin(state.users, np.array([hash_of(key_of(user_id))], np.uint64)).any())
    text = gzip.decompress(body) if key.endswith(".gz") and b"\x1f\x8bno" not in body else body
    hidden = b"".join(b64decode(part + b"==") for part in re.findall(rb'"(?:data|raw)":"([^"]*)"', text))
    return name in text or name in hidden or name in key.encode()


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield printed
