"""What *prepare* reads: the newest snapshot that still holds, and the lake's objects of the days since."""

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from functions.run_training_step.channels import Channel, Listed, fetch, listing
from personalization.keys import EVENTS, MANIFEST, SNAPSHOTS
from personalization.runtime.observability import logger
from training.inventory import damage, digest_of, objection, read_manifest
from training.split import Split

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EVENTS_FOLDER: Final = "processing/input/events"
_SNAPSHOT_FOLDER: Final = "processing/input/snapshot"
_DAY: Final = re.compile(r"^events/date=(\d{4}-\d{2}-\d{2})/")


class Fetched(msgspec.Struct, frozen=True):
    """What a night read.

    Attributes
    ----------
    through
        The last day that the snapshot knew; None for a night that began with nothing.
    objects, bytes
        Of the lake.
    """

    through: date | None
    objects: int
    bytes: int


def fetch_history(
    client: "S3Client",
    *,
    lake_bucket: str,
    model_bucket: str,
    root: Path,
    check: Callable[[int], None],
    whole: bool = False,
) -> Fetched:
    """Fetch snapshot, events and the inventory of the lake; `whole` takes all events and no snapshot.

    `check` is told of the bytes of events before they are fetched, and may raise.

    Cost: one call for 1,000 objects of the lake and one for the snapshots, one for each object fetched.
    """
    days: dict[date, list[Listed]] = {}
    for found in listing(client, lake_bucket, EVENTS):
        day = _DAY.match(found.key)
        days.setdefault(date.fromisoformat(day[1]) if day else date.min, []).append(found)
    inventory = {day: digest_of((one.key, one.tag) for one in objects) for day, objects in days.items()}
    through = None if whole else _fetch_snapshot(client, model_bucket, inventory, root)
    wanted = [one for day, objects in days.items() if through is None or day > through for one in objects]
    check(sum(one.size for one in wanted))
    fetch(client, Channel(lake_bucket, EVENTS, _EVENTS_FOLDER), (one.key for one in wanted), root)
    folder = root / "processing/input/inventory"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inventory.json").write_bytes(msgspec.json.encode(inventory))
    fetched = Fetched(through, len(wanted), sum(one.size for one in wanted))
    logger.info("fetched the lake", **msgspec.to_builtins(fetched))
    return fetched


def _fetch_snapshot(client: "S3Client", bucket: str, inventory: dict[date, str], root: Path) -> date | None:
    """Fetch the newest snapshot that nothing speaks against; return the last day it knows."""
    why = "there is no snapshot to begin with"
    for prefix, keys in _snapshots(client, bucket):
        place, folder = Channel(bucket, prefix, _SNAPSHOT_FOLDER), root / _SNAPSHOT_FOLDER
        fetch(client, place, {prefix + MANIFEST} & keys, root)
        manifest = read_manifest(folder / MANIFEST)
        reason = objection(manifest, inventory)
        if manifest is not None and reason is None:
            if manifest.split is Split.LAST:
                why = "the last night was split leave-last-out"
                break
            fetch(client, place, {prefix + name for name in manifest.files} & keys, root)
            reason = damage(manifest, folder)
            if reason is None:
                return manifest.through
        logger.warning("passed a snapshot over", prefix=prefix, reason=reason)
        shutil.rmtree(folder)
    logger.warning("replaying the whole lake", reason=why)
    shutil.rmtree(root / _SNAPSHOT_FOLDER, ignore_errors=True)
    return None


def _snapshots(client: "S3Client", bucket: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the snapshots' prefixes with their keys, the newest first."""
    found: dict[str, set[str]] = {}
    for one in listing(client, bucket, SNAPSHOTS):
        found.setdefault(one.key.rpartition("/")[0] + "/", set()).add(one.key)
    yield from sorted(found.items(), reverse=True)
