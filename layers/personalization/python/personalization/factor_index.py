"""Approximate nearest items by inner product, for catalogues too large to score in full for every user.

A hierarchical navigable small-world graph (Malkov and Yashunin, 2018) by `voyager`, which makes inner
products distances by one more dimension (Bachrach et al., 2014). Whoever searches scores what was found
anew, so that a list's order is exact and only its membership approximate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

APPROXIMATE_FROM: Final = 50_000
"""Items from which on an index is built; below, scoring them all is exact and takes under a millisecond."""
EDGES: Final = 16
BUILD_DEPTH: Final = 200
SEARCH_DEPTH: Final = 512
"""Items that a search keeps in view; more find more of the nearest and take longer."""
SEED: Final = 1

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FactorIndex:
    """A graph over the items that have factors; its ids are their rows in the tables."""

    graph: Any

    @classmethod
    def of(cls, factors: Floats) -> "FactorIndex":
        """Build the graph of (n, d) vectors, without those that are 0; equal vectors make equal bytes.

        By one thread, as the order of insertion decides the graph. The longest go first: the added dimension
        is measured against the longest so far, and so against the same for all; in another order a fifth of
        the nearest were missed. Cost: n log n times `BUILD_DEPTH` x d.
        """
        from voyager import Index, Space  # noqa: PLC0415 - only large catalogues pay for it

        graph = Index(
            Space.InnerProduct,
            num_dimensions=factors.shape[1],
            M=EDGES,
            ef_construction=BUILD_DEPTH,
            random_seed=SEED,
        )
        length = np.linalg.norm(factors.astype(np.float64), axis=1)
        known = np.argsort(-length, kind="stable")[: np.count_nonzero(length)]
        if len(known):
            graph.add_items(np.ascontiguousarray(factors[known]), known.tolist(), num_threads=1)
        return cls(graph)

    @classmethod
    def load(cls, file: Path) -> "FactorIndex":
        """Read what `save` wrote, into memory.

        Raises
        ------
        ValueError
            The file isn't an index.
        """
        from voyager import Index  # noqa: PLC0415 - only large catalogues pay for it

        try:
            return cls(Index.load(str(file)))
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{file.name} isn't an index of factors: {error}") from error

    def save(self, file: Path) -> None:
        """Write the graph with its vectors."""
        self.graph.save(str(file))

    def search(self, vector: npt.NDArray[np.float64], count: int) -> Ints | None:
        """Return the rows of about the `count` best items for a vector (d,), or None if exact is better.

        It is where the graph leads to fewer, and where so many are wanted that a search would be no shorter
        than a look at all. Cost: the greater of `SEARCH_DEPTH` and `count`, times `EDGES` x d.
        """
        from voyager import RecallError  # noqa: PLC0415 - only large catalogues pay for it

        count = min(count, len(self.graph))
        depth = max(SEARCH_DEPTH, count)
        if depth * EDGES >= len(self.graph):
            return None
        try:
            rows, _ = self.graph.query(vector.astype(np.float32), k=count, num_threads=1, query_ef=depth)
        except RecallError:
            return None
        return np.asarray(rows, dtype=np.int64)
