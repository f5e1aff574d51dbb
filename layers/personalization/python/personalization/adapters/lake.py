"""The lake for those who look through all of it, with writes that are guarded against a second writer."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THREADS: Final = 16
"""Objects read at a time: most are small, and wait for S3 rather than for the network."""
_OVERTAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


class Found(NamedTuple):
    """An object as a listing tells of it."""

    key: str
    modified: datetime


class S3Lake:
    """A bucket's objects, listed, read and deleted, and written if nobody else wrote since."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def listing(self, prefix: str) -> Iterator[tuple[str, str]]:
        """List keys and tags in order of key. Cost: one call for 1,000."""
        for page in self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        ):
            for found in page.get("Contents", []):
                yield found["Key"], found["ETag"]

    def found(self, prefix: str, *, after: str = "") -> Iterator[Found]:
        """List objects beyond a key, in order of key. Cost: one call for 1,000."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            for row in page.get("Contents", []):
                yield Found(row["Key"], row["LastModified"])

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Read one object that was listed, and its tag; None if it is gone by now."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        return found["Body"].read(), found["ETag"]

    def pieces(self, key: str, size: int) -> Iterator[bytes]:
        """Read one object that was listed piece by piece; none if it is gone by now."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except self._client.exceptions.NoSuchKey:
            return
        yield from body.iter_chunks(size)

    def delete(self, key: str) -> None:
        """Delete one object, if it is there."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def bodies(self, keys: Sequence[str]) -> Iterator[bytes]:
        """Read objects in the order of their keys, several at a time. Cost: one get each."""
        with ThreadPoolExecutor(THREADS) as pool:
            yield from pool.map(self._body, keys)

    def load(self, key: str) -> tuple[bytes, str] | None:
        """Read one object and its tag; None if there is none. Cost: one call to list, and one get.

        S3 tells that there is none only to those who may list the whole bucket; to others it answers 403.
        """
        if key not in dict(self.listing(key)):
            return None
        found = self._client.get_object(Bucket=self._bucket, Key=key)
        return found["Body"].read(), found["ETag"]

    def save(self, key: str, body: bytes, *, instead_of: str | None) -> str:
        """Write one object in place of the one of a tag, or where there is none; return the new tag.

        Raises
        ------
        Conflict
            Another one is there.
        Unavailable
            S3 throttles or is out of reach.
        """
        try:
            if instead_of is None:
                put = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
            else:
                put = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=instead_of)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _OVERTAKEN:
                raise Conflict(f"{key}: {code}") from None
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Unavailable(code) from error
            raise
        except UNREACHABLE as error:
            raise Unavailable(type(error).__name__) from error
        return put["ETag"]

    def put(self, key: str, body: bytes) -> None:
        """Write one object over whatever is there."""
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def _body(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
