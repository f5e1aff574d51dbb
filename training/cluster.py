"""The hosts that share one job, as SageMaker names them in ``resourceconfig.json``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec


@dataclass(frozen=True)
class Cluster:
    """The hosts of a job and which of them this is.

    Attributes
    ----------
    hosts
        Sorted, so that all agree on the order; SageMaker gives them in any.
    current
        This host, one of `hosts`.
    """

    hosts: Sequence[str]
    current: str

    @property
    def size(self) -> int:
        """How many hosts there are."""
        return len(self.hosts)

    @property
    def place(self) -> int:
        """Place of this host among them, from 0."""
        return self.hosts.index(self.current)

    @property
    def leads(self) -> bool:
        """Whether this is the first host: the one that writes what all have made."""
        return self.place == 0


ALONE: Final = Cluster(("localhost",), "localhost")


class _ResourceConfig(msgspec.Struct):
    current_host: str
    hosts: list[str]


def cluster_of(resource_config: bytes) -> Cluster:
    """Read a cluster from the content of ``resourceconfig.json``.

    >>> cluster_of(b'{"current_host": "algo-2", "hosts": ["algo-2", "algo-1"]}').place
    1

    Raises
    ------
    ValueError
        The file is not SageMaker's, or its current host is none of its hosts.
    """
    config = msgspec.json.decode(resource_config, type=_ResourceConfig)
    if config.current_host not in config.hosts:
        raise ValueError(f"host {config.current_host!r} is none of {config.hosts}")
    return Cluster(tuple(sorted(config.hosts)), config.current_host)
