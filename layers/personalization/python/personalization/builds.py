"""How a user's list is built: what treatments choose, and what all who build lists honour."""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct

from personalization.names import Ranker
from personalization.policies import RELEVANCE, Policy

ModelVersion = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}$")]


class Build(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that makes one kind of list differ from another; a label does not.

    Attributes
    ----------
    sources_off
        Candidate sources that offer nothing, in order of name.
    model
        The one published version to build with; None for the model in service.
    """

    ranker: Ranker = Ranker.LIGHTGBM
    policy: Policy = RELEVANCE
    sources_off: tuple[str, ...] = ()
    model: ModelVersion | None = None

    @property
    def name(self) -> str:
        """A short name that tells apart what is built alike but for the model's version.

        >>> Build().name, Build(policy=Policy(diversity=0.25), sources_off=("popular",)).name
        ('lightgbm', 'lightgbm.8a50ff4a.-439a7bb6')
        """
        off = blake2b(",".join(self.sources_off).encode(), digest_size=4).hexdigest()
        parts = (self.ranker, self.policy.digest, f"-{off}" if self.sources_off else "")
        return ".".join(filter(None, parts))


BY_RELEVANCE = Build()
"""By LightGBM and relevance, from all sources, with the model in service."""
