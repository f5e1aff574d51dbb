"""Content by words and meaning: what TF-IDF finds alike, and what a sentence encoder does."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import sparse

from personalization.events import Item
from personalization.model_tables import NEIGHBOURS, entries_at, strongest
from training.acts import Floats
from training.encoders import TextEncoder

BLOCK_ENTRIES: Final = 2_000_000
"""Cosines, or coordinates of pairs, held at a time."""
TOLERANCE: Final = 1e-3


def described(item: Item) -> str:
    """Put all that is known of an item in words, as one text.

    >>> described(Item(item_id="1", title="Toy Story (1995)", tags=("Children", "Comedy")))
    'Toy Story (1995). Children, Comedy'
    """
    return ". ".join(part for part in (item.title, item.category, ", ".join(item.tags), item.text) if part)


def encoded(items: Sequence[Item], encoder: TextEncoder) -> Floats:
    """Return (n, d) the items' vectors, of length 1, or 0 for items without words.

    Raises
    ------
    ValueError
        The encoder returned something else.
    """
    texts = [described(item) for item in items]
    vectors = np.zeros((0, 1), dtype=np.float32) if not texts else encoder.encode(texts)
    length = np.linalg.norm(vectors, axis=-1)
    fit = vectors.ndim == 2 and len(vectors) == len(texts) and vectors.dtype == np.float32
    if not fit or not ((np.abs(length - 1) < TOLERANCE) | (length == 0)).all():
        raise ValueError(f"encoder {encoder.version} must return float32 rows of length 1 or 0, one a text")
    return vectors


def blended(lexical: sparse.csr_array, vectors: Floats, weight: float) -> sparse.csr_array:
    """Blend cosines of words (n, n) and of meaning, (words + `weight` x meaning) / (1 + `weight`).

    It is the cosine of both vectors one behind the other, the second one's length being the root of `weight`.
    Pairs are those that either finds among the `NEIGHBOURS` most alike; a negative cosine of meaning is 0.
    Cost: n^2 x d for the most alike by meaning, exact and in blocks; 2 x `NEIGHBOURS` x n x d for the pairs.
    """
    pairs = sparse.coo_array(lexical.astype(np.bool_) + _most_alike(vectors).astype(np.bool_))
    rows, columns = pairs.coords
    meaning = np.zeros(len(rows), dtype=np.float32)
    step = max(BLOCK_ENTRIES // vectors.shape[1], 1)
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        meaning[block] = np.einsum("md,md->m", vectors[rows[block]], vectors[columns[block]])
    words = entries_at(lexical, rows.astype(np.int64), columns.astype(np.int64))
    values = (words + weight * np.maximum(meaning, 0)) / (1 + weight)
    blend = sparse.csr_array((values.astype(np.float32), (rows, columns)), shape=lexical.shape)
    return strongest(blend, NEIGHBOURS)


def _most_alike(vectors: Floats) -> sparse.csr_array:
    """(n, n), each row's highest cosines above 0 off the diagonal, ties by column."""
    items = len(vectors)
    parts = [sparse.csr_array((0, items), dtype=np.float32)]
    count, step = min(NEIGHBOURS, items), max(BLOCK_ENTRIES // max(items, 1), 1)
    for start in range(0, items, step):
        cosines = vectors[start : start + step] @ vectors.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = 0.0
        least = np.partition(cosines, -count, axis=1)[:, -count, None]
        rows, columns = np.nonzero((cosines >= least) & (cosines > 0))
        likely = sparse.csr_array((cosines[rows, columns], (rows, columns)), shape=cosines.shape)
        parts.append(strongest(likely, count))
    return sparse.csr_array(sparse.vstack(parts, format="csr"))
