"""Builds a model's tables from acts and catalogue. Cost linear in acts and in the catalogue's words."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import sparse

from personalization.events import Item
from personalization.model_tables import NEIGHBOURS, POPULARITY_DAYS, Tables, strongest
from personalization.profiles import at_seconds
from training.acts import Acts, Floats, Ints

PAIR_WINDOW: Final = 12
"""Items of a user's sequence this far apart still count as seen together."""
PAIR_DECAY: Final = 0.85
TRANSITION_WINDOW: Final = 4
TRANSITION_DECAY: Final = 0.5
POPULARITY_DAMPING: Final = 0.5
"""Similarities are divided by the target's popularity to this power: 0 counts, 1 lifts."""
MAX_TERM_ITEMS: Final = 2_000
"""A word or tag of more items than this tells nothing and would cost a dense product."""
_WORD: Final = re.compile(r"\w+")


def build_tables(acts: Acts, items: Sequence[Item], *, at: int) -> Tables:
    """Count everything that arrived until `at` (seconds since 1970)."""
    sequence = acts.first_of_each_item()
    support = np.bincount(sequence.item, minlength=len(items))
    pairs = _pairs(sequence, len(items), window=PAIR_WINDOW, decay=PAIR_DECAY)
    transitions = _pairs(sequence, len(items), window=TRANSITION_WINDOW, decay=TRANSITION_DECAY)
    return Tables(
        items=tuple(items),
        at=at,
        similarities={
            "covisitation": _damped(sparse.csr_array(pairs + pairs.T), support),
            "transition": _damped(transitions, support),
            "content": content_similarity(items),
        },
        popularity=_popularity(acts, len(items), at),
        first_seen=_first_seen(acts, items),
    )


def _pairs(sequence: Acts, items: int, *, window: int, decay: float) -> sparse.csr_array:
    """Directed pairs (earlier, later) of one user, weighted decay^(distance - 1). O(acts x window)."""
    total = sparse.csr_array((items, items), dtype=np.float32)
    for distance in range(1, window + 1):
        same_user = sequence.user[:-distance] == sequence.user[distance:]
        earlier, later = sequence.item[:-distance][same_user], sequence.item[distance:][same_user]
        weight = np.full(len(earlier), decay ** (distance - 1), dtype=np.float32)
        total = total + sparse.csr_array((weight, (earlier, later)), shape=(items, items))
    return sparse.csr_array(total)


def _damped(pairs: sparse.csr_array, support: Ints) -> sparse.csr_array:
    """Divide by the popularity of both ends, then keep each row's strongest neighbours."""
    damping = 1.0 / np.maximum(support, 1) ** POPULARITY_DAMPING
    scaled = sparse.diags_array(damping) @ pairs @ sparse.diags_array(damping)
    return strongest(sparse.csr_array(scaled, dtype=np.float32), NEIGHBOURS)


def content_similarity(items: Sequence[Item]) -> sparse.csr_array:
    """Cosine of TF-IDF vectors over tags, category and title words, without an item itself.

    TF-IDF as in Salton and Buckley (1988): 1 for a term that occurs, times log(items / items with it).
    """
    terms: dict[str, int] = {}
    entries = [
        (row, terms.setdefault(term, len(terms))) for row, item in enumerate(items) for term in _terms(item)
    ]
    if not entries:
        return sparse.csr_array((len(items), len(items)), dtype=np.float32)
    rows, columns = np.array(entries).T
    count = np.bincount(columns)
    telling = (count <= MAX_TERM_ITEMS) & (count > 1)
    weight = np.where(telling, np.log(len(items) / count), 0.0)[columns]
    vectors = sparse.csr_array((weight, (rows, columns)), shape=(len(items), len(terms)))
    vectors.eliminate_zeros()
    length = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    unit = sparse.csr_array(sparse.diags_array(1.0 / np.maximum(length, 1e-12)) @ vectors)
    return _nearest(unit)


def _nearest(unit: sparse.csr_array, block: int = 2_000) -> sparse.csr_array:
    """Strongest cosines of each row with the others, a block of rows at a time to bound memory."""
    transposed = sparse.csr_array(unit.T)
    parts = []
    for start in range(0, unit.shape[0], block):
        product = sparse.coo_array(unit[start : start + block] @ transposed)
        others = product.row + start != product.col
        kept = (product.data[others], (product.row[others], product.col[others]))
        rows = sparse.csr_array(kept, shape=product.shape, dtype=np.float32)
        parts.append(strongest(rows, NEIGHBOURS))
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


def _terms(item: Item) -> set[str]:
    terms = {f"tag:{tag}" for tag in item.tags}
    if item.category:
        terms.add(f"category:{item.category}")
    if item.title:
        terms |= {word for word in _WORD.findall(item.title.lower()) if len(word) > 2}
    return terms


def _popularity(acts: Acts, items: int, at: int) -> Floats:
    """(items, windows), weighted acts in each window before `at`; the longest window is open-ended."""
    columns = []
    for days in POPULARITY_DAYS:
        recent = acts.at > at - days * 86_400
        recent |= days == POPULARITY_DAYS[-1]
        columns.append(np.bincount(acts.item[recent], weights=acts.weight[recent], minlength=items))
    return np.column_stack(columns).astype(np.float32)


def _first_seen(acts: Acts, items: Sequence[Item]) -> Ints:
    """(items,), publication, else the first act, else 0."""
    first = np.full(len(items), np.iinfo(np.int64).max)
    np.minimum.at(first, acts.item, acts.at)
    published = [0 if item.published_at is None else at_seconds(item.published_at) for item in items]
    return np.where(
        np.array(published) > 0, published, np.where(first < np.iinfo(np.int64).max, first, 0)
    ).astype(np.int64)
