"""Assignment: a user or session is hashed to a place in [0, 1), and each variant owns a range of places.

Hash, ranges and namespaces as GrowthBook's SDK specification defines them
(https://docs.growthbook.io/lib/build-your-own), so its SDKs assign alike if they are given the user key as
`id`. A range grows from a fixed start: nobody changes variant when coverage grows. Other weights do move the
starts, and users with them: an experiment that needs other weights needs another salt, which makes it another
experiment.
"""

from functools import lru_cache
from typing import Final

FNV_OFFSET: Final = 0x811C9DC5
FNV_PRIME: Final = 0x01000193
_WEIGHT_TOLERANCE: Final = 0.01

Range = tuple[float, float]
"""Half-open: [start, end)."""


def bucket(salt: str, unit: str, version: int = 2) -> float:
    """Hash a unit to its place in [0, 1): in steps of 1/10,000 by version 2, of 1/1,000 by version 1.

    >>> bucket("", "a"), bucket("", "a", version=1)
    (0.0216, 0.22)
    """
    if version == 1:
        return _fnv1a_32(unit + salt) % 1_000 / 1_000
    return _fnv1a_32(str(_fnv1a_32(unit, _salted(salt)))) % 10_000 / 10_000


def equal_weights(count: int) -> tuple[float, ...]:
    """Give each of `count` variants the same share.

    >>> equal_weights(4)
    (0.25, 0.25, 0.25, 0.25)
    """
    return (1 / count,) * count if count > 0 else ()


@lru_cache(maxsize=1_024)
def bucket_ranges(count: int, coverage: float = 1.0, weights: tuple[float, ...] = ()) -> tuple[Range, ...]:
    """Return [start, start + coverage x weight) of each variant, starts being cumulative weights.

    Coverage is cut to [0, 1]. Weights that are missing, or don't sum to about 1, count as equal ones, which
    definitions never get to: they are refused before.

    >>> bucket_ranges(2, 0.5)
    ((0.0, 0.25), (0.5, 0.75))
    """
    share = min(max(coverage, 0.0), 1.0)
    if len(weights) != count or abs(sum(weights) - 1) > _WEIGHT_TOLERANCE:
        weights = equal_weights(count)
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append((start, start + share * weight))
        start += weight
    return tuple(ranges)


def choose(place: float, ranges: tuple[Range, ...]) -> int | None:
    """Return the number of the range that holds a place; None if none does.

    >>> choose(0.5, ((0.0, 0.25), (0.5, 0.75)))
    1
    """
    for number, (start, end) in enumerate(ranges):
        if start <= place < end:
            return number
    return None


def in_namespace(unit: str, namespace: str, within: Range) -> bool:
    """Whether a unit's place in a namespace is within a range; disjoint ranges share no unit.

    >>> in_namespace("1", "namespace1", (0.4, 1.0))
    True
    """
    return choose(bucket(f"__{namespace}", unit, version=1), (within,)) == 0


@lru_cache(maxsize=1_024)
def _salted(salt: str) -> int:
    """Digest of a salt, from which units are hashed on: requests bring other units, and the same salts."""
    return _fnv1a_32(salt)


def _fnv1a_32(text: str, digest: int = FNV_OFFSET) -> int:
    """FNV-1a with 32 bits over UTF-8 bytes; units and salts are ASCII, where all SDKs agree."""
    for byte in text.encode():
        digest = (digest ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return digest
