"""The event lake and the quarantine on S3."""

import re
from base64 import b64encode
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from personalization import keys
from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Unavailable
from personalization.ports import StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
            if overwrite:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
            else:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Unavailable(error.response["Error"]["Code"]) from error
            raise
        except UNREACHABLE as error:
            raise Unavailable(type(error).__name__) from error
        return True

    def get(self, key: str) -> bytes | None:
        """Read one object; None if there is none."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None

    def newest(self, prefix: str, name: str, limit: int) -> list[str]:
        """Return the folders directly below a prefix that hold an object `name`, the last written first.

        Cost: a call for 1,000 objects below the prefix.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        pattern = re.compile(rf"{re.escape(prefix)}([^/]+)/{re.escape(name)}")
        found = {
            match[1]: row["LastModified"]
            for page in pages
            for row in page.get("Contents", [])
            if (match := pattern.fullmatch(row["Key"]))
        }
        return sorted(found, key=lambda folder: (found[folder], folder), reverse=True)[:limit]


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
