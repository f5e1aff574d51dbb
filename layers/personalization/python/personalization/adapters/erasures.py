"""Erasures as objects of the lake: tombstones, work in hand, receipts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from personalization import keys
from personalization.adapters.lake import S3Lake
from personalization.adapters.s3 import S3Archive
from personalization.erasure import ErasureReceipt, Pending, erasure_id
from personalization.ports import ErasureRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LEDGER: Final = keys.tombstone("").removesuffix(".json")
_PENDING: Final = keys.pending_erasure("").removesuffix(".json")


class _Tombstone(Struct):
    user_key: str
    requested_at: int


class S3Erasures:
    """Three small objects an erasure; that of the work is removed when it is done."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._archive = S3Archive(client, bucket)
        self._lake = S3Lake(client, bucket)

    def open(self, request: ErasureRequest, receipt: ErasureReceipt) -> None:
        """Note a request: the tombstone first, and nothing over what is there. Cost: three puts.

        Raises
        ------
        Unavailable
            S3 throttles or is out of reach.
        """
        name = erasure_id(request)
        stone = msgspec.json.encode(_Tombstone(request.user_key, request.requested_at))
        work = msgspec.json.encode(Pending(user_key=request.user_key, requested_at=request.requested_at))
        self._archive.put(keys.tombstone(name), stone, overwrite=False)
        self._archive.put(keys.pending_erasure(name), work, overwrite=False)
        self._archive.put(keys.erasure_receipt(name), msgspec.json.encode(receipt), overwrite=False)

    def receipt(self, erasure_id: str) -> ErasureReceipt | None:
        """Return a receipt. Cost: a call to list and a get."""
        found = self._lake.load(keys.erasure_receipt(erasure_id))
        return msgspec.json.decode(found[0], type=ErasureReceipt) if found else None

    def pending(self, request: ErasureRequest) -> Pending | None:
        """Return the work on an erasure; None if it is done with. Cost: a call to list and a get."""
        found = self._lake.load(keys.pending_erasure(erasure_id(request)))
        return msgspec.json.decode(found[0], type=Pending) if found else None

    def all_pending(self) -> Iterator[Pending]:
        """Yield the work on each erasure that is not done with. Cost: a call for 1,000, and a get each."""
        names = [key for key, _ in self._lake.listing(_PENDING)]
        for body in self._lake.bodies(names):
            yield msgspec.json.decode(body, type=Pending)

    def save(self, pending: Pending) -> None:
        """Keep how far the work is."""
        self._archive.put(keys.pending_erasure(erasure_id(pending.request)), msgspec.json.encode(pending))

    def close(self, pending: Pending, receipt: ErasureReceipt) -> None:
        """Write the receipt; remove the work if it has been done twice."""
        self._archive.put(keys.erasure_receipt(receipt.erasure_id), msgspec.json.encode(receipt))
        if receipt.repeated_at is None:
            self.save(pending)
        else:
            self._client.delete_object(Bucket=self._bucket, Key=keys.pending_erasure(receipt.erasure_id))

    def tombstones(self) -> dict[str, int]:
        """Return when each user was last forgotten. Cost: a call for 1,000 erasures, and a get each."""
        latest: dict[str, int] = {}
        for body in self._lake.bodies([key for key, _ in self._lake.listing(_LEDGER)]):
            stone = msgspec.json.decode(body, type=_Tombstone)
            latest[stone.user_key] = max(stone.requested_at, latest.get(stone.user_key, 0))
        return latest
