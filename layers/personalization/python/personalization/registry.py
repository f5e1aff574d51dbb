"""Published models: what each was made of and found to be like, read back from the bucket."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

import msgspec

from personalization import keys
from personalization.ports import ActiveModel

METADATA_FILE: Final = "metadata.json"
QUALITY_FILE: Final = "quality.json"
"""Beside a model's files, but not part of what serves: what its evaluation found."""
THE_MODEL: Final = "model"
"""What an evaluation calls the model, among the methods it compares."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is and what it was made of."""

    version: str
    trained_at: datetime
    features: tuple[str, ...]
    events: int
    users: int
    items: int
    data_from: datetime | None
    data_to: datetime | None
    parameters: dict[str, int | float | str]
    code_version: str = "unknown"


class Quality(msgspec.Struct, frozen=True):
    """What an evaluation found, in short: held-out users, and NDCG@10 and hit rate @10 by method."""

    users: int
    ndcg: dict[str, float]
    hit_rate: dict[str, float]


class Version(msgspec.Struct, frozen=True):
    """One published model.

    Attributes
    ----------
    quality
        None for one that was published before evaluations were kept.
    state
        `in service`, `before`, or empty.
    """

    metadata: Metadata
    quality: Quality | None
    state: str

    @property
    def trained_at(self) -> datetime:
        """When it was trained."""
        return self.metadata.trained_at

    @property
    def ndcg(self) -> float | None:
        """Held-out NDCG@10."""
        return self.quality.ndcg.get(THE_MODEL) if self.quality else None


class Reader(Protocol):
    """Reads objects of the model bucket."""

    def get(self, key: str) -> bytes | None:
        """Read one object; None if there is none."""
        ...


def versions(names: Iterable[str], models: Reader, active: ActiveModel | None) -> list[Version]:
    """Read the published models of some names, the newest first; one without a manifest is none.

    Cost: three reads a version.
    """
    found = [_version(name, models, active) for name in names if models.get(_key(name, keys.MANIFEST))]
    return sorted(filter(None, found), key=lambda version: version.trained_at, reverse=True)


def _version(name: str, models: Reader, active: ActiveModel | None) -> Version | None:
    metadata = models.get(_key(name, METADATA_FILE))
    if metadata is None:
        return None
    quality = models.get(_key(name, QUALITY_FILE))
    states = {} if active is None else {active.previous: "before", active.version: "in service"}
    return Version(
        msgspec.json.decode(metadata, type=Metadata),
        msgspec.json.decode(quality, type=Quality) if quality else None,
        states.get(name, ""),
    )


def _key(version: str, name: str) -> str:
    return keys.model_prefix(version) + name
