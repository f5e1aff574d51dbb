"""Keys of the single table and of the objects in the buckets, all in one place.

| pk               | sk                               | holds                                      |
| ---------------- | -------------------------------- | ------------------------------------------ |
| USER#key         | PROFILE                          | profile, seen ids, mark, revision          |
| USER#key         | LIST#surface#build#version       | the user's list, by `Build.name`                   |
| SEGMENT#name     | LIST#version                     | popular, trending, and per-segment lists   |
| ITEM#id          | META                             | the catalogue item                         |
| CATALOG          | UNAVAILABLE                      | set of ids of items that are not available |
| MODEL            | ACTIVE                           | version in service, and the one before     |
| EXPERIMENT#name  | RESULTS                          | the latest analysis of an experiment       |
| EXPERIMENTS      | ANALYZED                         | set of names of those that have one        |
"""

from datetime import datetime
from hashlib import blake2b
from itertools import product
from typing import Final, NamedTuple

from personalization.builds import BY_RELEVANCE, Build
from personalization.profiles import Facts, segment_of

POPULAR: Final = "popular"
TRENDING: Final = "trending"
MANIFEST: Final = "manifest.json"
"""Names the files of a published model, or of a snapshot; written last."""
MODELS: Final = "models/"
EVENTS: Final = "events/"
QUARANTINE: Final = "quarantine/"
EXPOSURES: Final = "exposures/"
EXPERIMENTS: Final = "experiments/"
"""What `analyze_experiments` keeps: its state, and every day's results, by experiment."""
SNAPSHOTS: Final = "snapshots/"
"""What a night of training leaves for the next, by day."""


class Key(NamedTuple):
    """A primary key of the table."""

    pk: str
    sk: str


ACTIVE_MODEL: Final = Key("MODEL", "ACTIVE")
UNAVAILABLE_ITEMS: Final = Key("CATALOG", "UNAVAILABLE")
ANALYZED_EXPERIMENTS: Final = Key("EXPERIMENTS", "ANALYZED")


def profile_key(user_key: str) -> Key:
    """Key of a user's profile."""
    return Key(f"USER#{user_key}", "PROFILE")


def user_of(key: Key) -> str | None:
    """Return the key of the user whose record this is; None if it is nobody's.

    >>> user_of(profile_key("u")), user_of(ACTIVE_MODEL)
    ('u', None)
    """
    return key.pk.removeprefix("USER#") if key.pk.startswith("USER#") else None


def list_key(user_key: str, *, surface: str, version: str, build: Build = BY_RELEVANCE) -> Key:
    """Key of a user's list: treatments that build it alike share it, others have their own.

    `version` is that of the model in service; a build that names a model has its lists under that one's.

    >>> list_key("u", surface="home", version="v1").sk
    'LIST#home#lightgbm#v1'
    >>> list_key("u", surface="home", version="v1", build=Build(sources_off=("popular",), model="v0")).sk
    'LIST#home#lightgbm.-439a7bb6#v0'
    """
    return Key(f"USER#{user_key}", f"LIST#{surface}#{build.name}#{build.model or version}")


def draw_seed(key: Key, revision: int) -> int:
    """Seed of what is drawn for a list: the same for the same list, another after the user's next act."""
    text = f"{key.pk}{key.sk}#{revision}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def segment_key(name: str, *, version: str) -> Key:
    """Key of a list that many users share: `POPULAR`, `TRENDING` or one of `segment_names`."""
    return Key(f"SEGMENT#{name}", f"LIST#{version}")


def segment_facts(facts: Facts) -> list[Facts]:
    """Return every part of what is known of a visitor, the closest first, nothing last.

    Facts are let go from the last on: at most 8 parts of three facts.

    >>> [tuple(part) for part in segment_facts(Facts("DE", None, "search"))]
    [('DE', None, 'search'), ('DE', None, None), (None, None, 'search'), (None, None, None)]
    """
    return [Facts(*part) for part in product(*((fact, None) if fact else (None,) for fact in facts))]


def segment_names(facts: Facts) -> list[str]:
    """Name the segments that hold a visitor of whom this is known, the closest first, everybody's last.

    >>> segment_names(Facts(device="mobile"))
    ['device=mobile', 'everybody']
    """
    return list(map(segment_of, segment_facts(facts)))


def item_key(item_id: str) -> Key:
    """Key of a catalogue item."""
    return Key(f"ITEM#{item_id}", "META")


def experiment_key(name: str) -> Key:
    """Key of the latest results of an experiment."""
    return Key(f"EXPERIMENT#{name}", "RESULTS")


def experiment_state(name: str) -> str:
    """Object of what the analysis of an experiment keeps from run to run."""
    return f"{EXPERIMENTS}state/{name}.zip"


def experiment_results(day: datetime, name: str) -> str:
    """Object of an experiment's results as they were at the end of a day."""
    return f"{EXPERIMENTS}results/date={day:%Y-%m-%d}/{name}.json"


def exposure_prefix(day: datetime) -> str:
    """Prefix of one day of the exposures in the lake."""
    return f"{EXPOSURES}date={day:%Y-%m-%d}/"


def exposure_object(day: datetime, *, stream: str, first_id: str) -> str:
    """Object of one delivery of the log; a repeated delivery overwrites its own object."""
    return f"{exposure_prefix(day)}{stream}-{first_id}.jsonl.gz"


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
    return f"{QUARANTINE}date={arrived_at:%Y-%m-%d}/{epoch}-{shard}-{sequence}.json"


def quarantined_line(logged_at: datetime, *, stream: str, line_id: str) -> str:
    """Object of one line of the exposures' log that can't be read."""
    return f"quarantine/exposures/date={logged_at:%Y-%m-%d}/{stream}-{line_id}.json"


def run_prefix(run_id: str, channel: str) -> str:
    """Prefix of one channel of one training run."""
    return f"runs/{run_id}/{channel}/"


def model_prefix(version: str) -> str:
    """Prefix of a published model."""
    return f"{MODELS}{version}/"
