"""The tables of a model: what ranking looks up about items, as contiguous arrays in a folder.

Everything is stored as ``.npy`` without pickle: it can be memory-mapped, and equal tables are equal bytes.
Similarity tables are sparse matrices with at most `NEIGHBOURS` entries a row: size and look-up cost are
linear in items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.errors import ModelError
from personalization.events import Item
from personalization.factor_index import FactorIndex
from personalization.profiles import item_hash
from personalization.recipe import Recipe

NEIGHBOURS: Final = 100
POPULARITY_DAYS: Final = (1, 7, 30, 365)
"""Windows of `Tables.popularity`, in days before the tables' time."""
FACTOR_INDEX_FILE: Final = "factors.voyager"
SIMILARITIES: Final = ("covisitation", "transition", "content", "propagation", "autoencoder")

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """What is known of a catalogue of *n* items at one time.

    Attributes
    ----------
    items
        The catalogue, in the order of every other table.
    at
        Seconds since 1970; nothing later was counted.
    similarities
        Name of `SIMILARITIES` -> sparse matrix (n, n), float32: row *i* holds what goes with item *i*.
    factors
        (n, d), the items' vectors of a matrix factorization; 0 for items that nobody acted on.
    popularity
        (n, len(POPULARITY_DAYS)), acts in each window, weighted by kind.
    first_seen
        (n,), seconds since 1970 of publication or of the first act; 0 if neither is known.
    recipe
        How the tables were counted, and how candidates are found in them.
    factor_index
        Finds the nearest of the factors in a large catalogue; None for one that is scored in full.
    """

    items: tuple[Item, ...]
    at: int
    similarities: Mapping[str, sparse.csr_array]
    factors: Floats
    popularity: Floats
    first_seen: Ints
    recipe: Recipe = field(default_factory=Recipe)
    factor_index: FactorIndex | None = None

    @cached_property
    def index(self) -> dict[str, int]:
        """Item id -> row."""
        return {item.item_id: row for row, item in enumerate(self.items)}

    @cached_property
    def rows_by_hash(self) -> dict[int, list[int]]:
        """CRC-32 of the item id -> rows; nearly always one."""
        rows: dict[int, list[int]] = {}
        for row, item in enumerate(self.items):
            rows.setdefault(item_hash(item.item_id), []).append(row)
        return rows

    @cached_property
    def gram(self) -> npt.NDArray[np.float64]:
        """(d, d), the factors' Gram matrix, which every user's fold-in needs. O(n x d^2), once."""
        return np.asarray(self.exact_factors.T @ self.exact_factors)

    @cached_property
    def exact_factors(self) -> npt.NDArray[np.float64]:
        """(n, d), the factors in doubles: what they score is the same whatever the size of a block."""
        return self.factors.astype(np.float64)

    @cached_property
    def neighbours(self) -> Mapping[str, sparse.csr_array]:
        """Name of `SIMILARITIES` -> (n, n), 1 where the table has an entry."""
        return {
            name: sparse.csr_array((np.ones_like(table.data), table.indices, table.indptr), shape=table.shape)
            for name, table in self.similarities.items()
        }

    @cached_property
    def category(self) -> Ints:
        """(n,), the code of each item's category (else its first tag); -1 if it has neither."""
        names = [item.category or (item.tags[0] if item.tags else "") for item in self.items]
        codes = {name: code for code, name in enumerate(sorted(set(names) - {""}))}
        return np.array([codes.get(name, -1) for name in names], dtype=np.int64)

    @cached_property
    def membership(self) -> sparse.csr_array:
        """(n, categories), 1 at each item's category; at least one column."""
        rows = np.flatnonzero(self.category >= 0)
        shape = len(self.category), max(int(self.category.max(initial=-1)) + 1, 1)
        return sparse.csr_array(
            (np.ones(len(rows), dtype=np.float32), (rows, self.category[rows])), shape=shape
        )

    @cached_property
    def price(self) -> Floats:
        """(n,), NaN where unknown."""
        prices = [np.nan if item.price is None else item.price for item in self.items]
        return np.array(prices, dtype=np.float32)

    @cached_property
    def available(self) -> npt.NDArray[np.bool_]:
        """(n,), whether the catalogue says the item can be had."""
        return np.array([item.available for item in self.items], dtype=np.bool_)

    @cached_property
    def popular(self) -> Ints:
        """(n,), rows from most to least popular over the longest window, ties by row."""
        return np.argsort(-self.popularity[:, -1], kind="stable")

    @cached_property
    def trending(self) -> Ints:
        """(n,), rows by acts of the last week against what the last month lets expect.

        The score is (week + 1) / (month / 4 + 5): the constants are a prior of 5 acts, so that one act on an
        unknown item is no trend.
        """
        week, month = self.popularity[:, 1], self.popularity[:, 2]
        return np.argsort(-((week + 1) / (month / 4 + 5)), kind="stable")


def save_tables(tables: Tables, folder: Path) -> None:
    """Write tables into a folder; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items.json").write_bytes(msgspec.json.encode(tables.items))
    (folder / "at.json").write_bytes(msgspec.json.encode(tables.at))
    (folder / "recipe.json").write_bytes(msgspec.json.encode(tables.recipe))
    np.save(folder / "factors.npy", tables.factors)
    (folder / FACTOR_INDEX_FILE).unlink(missing_ok=True)
    if tables.factor_index:
        tables.factor_index.save(folder / FACTOR_INDEX_FILE)
    np.save(folder / "popularity.npy", tables.popularity)
    np.save(folder / "first_seen.npy", tables.first_seen)
    for name, matrix in tables.similarities.items():
        np.save(folder / f"{name}.data.npy", matrix.data.astype(np.float32))
        np.save(folder / f"{name}.indices.npy", matrix.indices.astype(np.int32))
        np.save(folder / f"{name}.indptr.npy", matrix.indptr.astype(np.int64))


def load_tables(folder: Path) -> Tables:
    """Read what `save_tables` wrote; similarities stay on disk until they are looked at.

    Raises
    ------
    ModelError
        A file is missing or not what it should be.
    """
    try:
        items = msgspec.json.decode((folder / "items.json").read_bytes(), type=tuple[Item, ...])
        at = msgspec.json.decode((folder / "at.json").read_bytes(), type=int)
        index = folder / FACTOR_INDEX_FILE
        return Tables(
            items=items,
            at=at,
            similarities={name: _load_matrix(folder, name, len(items)) for name in SIMILARITIES},
            factors=_mapped(folder / "factors.npy"),
            popularity=np.load(folder / "popularity.npy"),
            first_seen=np.load(folder / "first_seen.npy"),
            recipe=read_recipe(folder),
            factor_index=FactorIndex.load(index) if index.exists() else None,
        )
    except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
        raise ModelError(f"the model's tables can't be read: {error}") from error


def read_recipe(folder: Path) -> Recipe:
    """Read the recipe of a folder that `save_tables` wrote."""
    return msgspec.json.decode((folder / "recipe.json").read_bytes(), type=Recipe)


def _load_matrix(folder: Path, name: str, size: int) -> sparse.csr_array:
    parts = [_mapped(folder / f"{name}.{part}.npy") for part in ("data", "indices", "indptr")]
    return sparse.csr_array(tuple(parts), shape=(size, size))


def _mapped(path: Path) -> npt.NDArray[Any]:
    """Read an array as it is looked at; as a plain one, for each look at a `memmap` costs 50 microseconds."""
    mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return mapped


def strongest(matrix: sparse.csr_array, count: int) -> sparse.csr_array:
    """Keep each row's `count` largest entries, ties by column.

    Cost O(entries) to select, and O(kept log kept) to order.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    likely = np.flatnonzero(matrix.data >= least_kept(matrix.data, matrix.indptr, count)[rows])
    rows, columns, data = rows[likely], matrix.indices[likely], matrix.data[likely]
    order = np.lexsort((columns, -data, rows))
    starts = np.searchsorted(rows, np.arange(matrix.shape[0]))
    kept = order[np.arange(len(order)) - starts[rows[order]] < count]
    return sparse.csr_array((data[kept], (rows[kept], columns[kept])), shape=matrix.shape)


def least_kept(values: Floats, starts: npt.NDArray[np.integer], count: int) -> Floats:
    """(rows,), the `count`th largest value of each row, -inf for rows with fewer; inf if none is to be kept.

    `starts` (rows + 1,) says where each row begins in `values`.
    """
    least = np.full(len(starts) - 1, -np.inf if count else np.inf, dtype=np.float32)
    for row in np.flatnonzero(np.diff(starts) > count).tolist() if count else ():
        least[row] = np.partition(values[starts[row] : starts[row + 1]], -count)[-count]
    return least


def entries_at(matrix: sparse.csr_array, rows: Ints, columns: Ints) -> Floats:
    """Return (m,) the entries at (rows, columns); absent ones are 0. Cost O(m log entries of a row)."""
    matrix.sort_indices()
    return np.asarray(matrix[rows, columns], dtype=np.float32) if len(rows) else np.zeros(0, np.float32)
