"""Keys of the single table and of the objects in the buckets, all in one place.

| pk               | sk                               | holds                                      |
| ---------------- | -------------------------------- | ------------------------------------------ |
| USER#key         | PROFILE                          | profile, seen ids, mark, revision          |
| USER#key         | LIST#surface#ranker#version      | the user's list                            |
| SEGMENT#name     | LIST#version                     | popular, trending, and per-segment lists   |
| ITEM#id          | META                             | the catalogue item                         |
| CATALOG          | UNAVAILABLE                      | set of ids of items that are not available |
| MODEL            | ACTIVE                           | version in service, and the one before     |
"""

from datetime import datetime
from typing import Final, NamedTuple

from personalization.names import Ranker
from personalization.profiles import segment_of

POPULAR: Final = "popular"
TRENDING: Final = "trending"
MANIFEST: Final = "manifest.json"
"""Names the files of a published model, or of a snapshot; written last."""
MODELS: Final = "models/"
EVENTS: Final = "events/"
SNAPSHOTS: Final = "snapshots/"
"""What a night of training leaves for the next, by day."""


class Key(NamedTuple):
    """A primary key of the table."""

    pk: str
    sk: str


ACTIVE_MODEL: Final = Key("MODEL", "ACTIVE")
UNAVAILABLE_ITEMS: Final = Key("CATALOG", "UNAVAILABLE")


def profile_key(user_key: str) -> Key:
    """Key of a user's profile."""
    return Key(f"USER#{user_key}", "PROFILE")


def list_key(user_key: str, *, surface: str, ranker: Ranker, version: str) -> Key:
    """Key of a user's list."""
    return Key(f"USER#{user_key}", f"LIST#{surface}#{ranker}#{version}")


def segment_key(name: str, *, version: str) -> Key:
    """Key of a list that many users share: `POPULAR`, `TRENDING` or one of `segment_names`."""
    return Key(f"SEGMENT#{name}", f"LIST#{version}")


def segment_names(country: str | None, device: str | None) -> list[str]:
    """Name the segments that hold a visitor of whom this is known, the closest first, everybody's last.

    >>> segment_names("de", "mobile")[:3]
    ['country=DE,device=mobile', 'country=DE,device=any', 'country=any,device=mobile']
    >>> segment_names(None, "mobile")
    ['country=any,device=mobile', 'country=any,device=any']
    """
    known = [(country, device), (country, None), (None, device), (None, None)]
    return list(dict.fromkeys(segment_of(*facts) for facts in known))


def item_key(item_id: str) -> Key:
    """Key of a catalogue item."""
    return Key(f"ITEM#{item_id}", "META")


def event_prefix(day: datetime) -> str:
    """Prefix of one day of the event lake."""
    return f"events/date={day:%Y-%m-%d}/"


def event_object(arrived_at: datetime, *, epoch: int, shard: str, first_sequence: str) -> str:
    """Object of one archived batch; a retried batch overwrites its own object."""
    return f"{event_prefix(arrived_at)}{epoch}-{shard}-{first_sequence}.jsonl.gz"


def imported_object(day: datetime, *, digest: str) -> str:
    """Object of one imported chunk, named by its content: importing twice overwrites."""
    return f"{event_prefix(day)}import-{digest}.jsonl.gz"


def quarantine_object(arrived_at: datetime, *, epoch: int, shard: str, sequence: str) -> str:
    """Object of one record that can't be processed."""
    return f"quarantine/date={arrived_at:%Y-%m-%d}/{epoch}-{shard}-{sequence}.json"


def run_prefix(run_id: str, channel: str) -> str:
    """Prefix of one channel of one training run."""
    return f"runs/{run_id}/{channel}/"


def model_prefix(version: str) -> str:
    """Prefix of a published model."""
    return f"{MODELS}{version}/"
