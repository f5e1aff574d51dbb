"""The event lake and the quarantine on S3."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from personalization import keys
from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Unavailable
from personalization.lists import RecommendationList
from personalization.ports import StreamRecord
from personalization.shared import unpack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise Unavailable(error.response["Error"]["Code"]) from error
        raise
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error


class S3Archive:
    """Objects of the event lake."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes, *, overwrite: bool = True) -> bool:
        """Write one object; with `overwrite` off, return False if the key is taken.

        Raises
        ------
        Unavailable
            S3 throttles or is out of reach.
        """
        try:
            with _translated():
                if overwrite:
                    self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
                else:
                    self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            raise
        return True

    def get(self, key: str) -> bytes | None:
        """Read one object; None if there is none. Raises `Unavailable` as `put` does."""
        try:
            with _translated():
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None

    def newest(self, prefix: str, name: str, limit: int) -> list[str]:
        """Return the folders directly below a prefix that hold an object `name`, the last written first.

        Cost: a call for 1,000 objects below the prefix.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        pattern = re.compile(rf"{re.escape(prefix)}([^/]+)/{re.escape(name)}")
        with _translated():
            found = {
                match[1]: row["LastModified"]
                for page in pages
                for row in page.get("Contents", [])
                if (match := pattern.fullmatch(row["Key"]))
            }
        return sorted(found, key=lambda folder: (found[folder], folder), reverse=True)[:limit]


class SharedCopy:
    """The shared lists as they were last published; its client is made when it is needed, in an outage."""

    def __init__(self, client: Callable[[], "S3Client"], bucket: str) -> None:
        self._client = cache(client)
        self._bucket = bucket

    def read(self) -> dict[str, RecommendationList]:
        """Return lists by name; none before the first publish.

        Raises
        ------
        Unavailable
            S3 throttles or is out of reach, or refuses: whether there is a copy is not told without the right
            to list.
        CorruptData
            What is there is no such copy.
        """
        try:
            body = S3Archive(self._client(), self._bucket).get(keys.SHARED_COPY)
        except ClientError as error:
            raise Unavailable(error.response["Error"]["Code"]) from error
        return unpack(body) if body else {}


class S3Quarantine:
    """Records that can't be processed, one object each, under `quarantine/`."""

    def __init__(self, archive: S3Archive) -> None:
        self._archive = archive

    def put(self, record: StreamRecord, *, epoch: int, reason: str) -> bool:
        """Keep the record's bytes, where it came from, and why it is here; False if it is here already."""
        key = keys.quarantine_object(
            record.arrived_at, epoch=epoch, shard=record.shard, sequence=record.sequence_number
        )
        body = {
            "reason": reason,
            "shard": record.shard,
            "sequence_number": record.sequence_number,
            "partition_key": record.partition_key,
            "arrived_at": record.arrived_at,
            "data": b64encode(record.data).decode(),
        }
        return self._archive.put(key, msgspec.json.encode(body), overwrite=False)
