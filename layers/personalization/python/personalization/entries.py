"""Sparse values of a block of users by item, as arrays that are looked up, cut and sorted in place.

What a sparse matrix holds, for the many small steps between two products: making one of scipy's matrices
takes 0.1 ms, and ranking a single user took a hundred of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from personalization.model_tables import Floats, Ints, least_kept


@dataclass(frozen=True, slots=True)
class Entries:
    """*m* values of *b* users.

    Attributes
    ----------
    codes
        (m,), user x `items` + item, ascending.
    values
        (m,)
    starts
        (b + 1,), where each user's begin.
    items
        Items of the catalogue.
    """

    codes: Ints
    values: Floats
    starts: Ints
    items: int

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Self:
        """Take over a matrix (b, items)."""
        matrix.sort_indices()
        starts = matrix.indptr.astype(np.int64)
        users = np.repeat(np.arange(matrix.shape[0]), np.diff(starts))
        return cls(users * matrix.shape[1] + matrix.indices, matrix.data, starts, matrix.shape[1])

    def rows(self, first: int, last: int) -> Self:
        """Return the users from `first` to before `last`, as users from 0."""
        start, end = self.starts[first], self.starts[last]
        codes = self.codes[start:end] - first * self.items
        starts = self.starts[first : last + 1] - start
        return type(self)(codes, self.values[start:end], starts, self.items)

    def at(self, codes: Ints) -> Floats:
        """Return (c,) the values at `codes`; absent ones are 0. Cost O(c log m), less for ascending codes."""
        if not len(self.codes):
            return np.zeros(len(codes), dtype=np.float32)
        place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[place] == codes, self.values[place], np.float32(0.0))

    def without(self, hidden: "Entries") -> Self:
        """Leave out what is positive in `hidden`."""
        kept = hidden.at(self.codes) <= 0
        starts = np.concatenate(([0], np.cumsum(kept)))[self.starts]
        return type(self)(self.codes[kept], self.values[kept], starts, self.items)

    def strongest(self, count: int) -> tuple[Ints, Ints]:
        """Return (users, items) of each user's `count` largest, users ascending, best first, ties by item.

        Cost O(m) to select, and O(kept log kept) to order.
        """
        counts = np.diff(self.starts)
        likely = np.flatnonzero(self.values >= np.repeat(least_kept(self.values, self.starts, count), counts))
        users, items = np.divmod(self.codes[likely], self.items)
        order = np.lexsort((items, -self.values[likely], users))
        starts = np.searchsorted(users, np.arange(len(counts)))
        kept = order[np.arange(len(order)) - starts[users[order]] < count]
        return users[kept], items[kept]


def stacked(parts: list[sparse.csr_array]) -> sparse.csr_array:
    """Return the matrices (b, n) one above the other, to be multiplied at once."""
    ends = np.cumsum([0, *(part.nnz for part in parts)])
    starts = [part.indptr[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return sparse.csr_array(
        (
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.indices for part in parts]),
            np.concatenate([*starts, ends[-1:]]),
        ),
        shape=(len(parts) * parts[0].shape[0], parts[0].shape[1]),
    )


def each_of(entries: Entries, count: int) -> Iterator[Entries]:
    """Take a product of `count` stacked matrices apart."""
    users = (len(entries.starts) - 1) // count
    for part in range(count):
        yield entries.rows(part * users, (part + 1) * users)
