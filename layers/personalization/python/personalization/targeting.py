"""Targeting: which visitors an experiment is for, by what is known of them."""

from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from personalization.errors import InvalidInput
from personalization.profiles import NO_FACTS, Facts, segment_of

Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Targeting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All kinds that are named must fit, each by any of its values; what is unknown fits nothing.

    Attributes
    ----------
    segments
        Names of segments, as "country=DE,device=mobile" (`profiles.segment_of`).
    countries
        ISO 3166 codes, capital letters.
    """

    segments: tuple[Name, ...] = ()
    countries: tuple[Country, ...] = ()
    devices: tuple[Name, ...] = ()

    def admits(self, facts: Facts) -> bool:
        """Whether a visitor of whom this is known is meant.

        >>> Targeting(countries=("DE", "AT")).admits(Facts("AT", "mobile"))
        True
        """
        return (
            (not self.countries or facts.country in self.countries)
            and (not self.devices or facts.device in self.devices)
            and (not self.segments or any(_is_in(facts, segment) for segment in self.segments))
        )

    def check(self) -> None:
        """Refuse names of segments that no visitor can be in.

        Raises
        ------
        InvalidInput
            `invalid_experiments`, with an example of a name.
        """
        for name in self.segments:
            if name != segment_of(_facts_of(name)):
                example = segment_of(Facts("DE", "mobile"))
                raise InvalidInput("invalid_experiments", f"{name!r} names no segment; one is {example!r}")


def _is_in(facts: Facts, segment: str) -> bool:
    """Whether the segment is one of `keys.segment_names`: all that it names is known to be so."""
    return all(
        named is None or named == known for named, known in zip(_facts_of(segment), facts, strict=True)
    )


@lru_cache(maxsize=1_024)
def _facts_of(segment: str) -> Facts:
    parts = [part.partition("=") for part in segment.split(",")]
    named = {name: value for name, _, value in parts if name in Facts._fields}
    return Facts(**named) if named else NO_FACTS
