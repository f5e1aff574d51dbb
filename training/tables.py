"""Builds a model's tables from acts and catalogue. Cost linear in acts and in the catalogue's words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import structs
from scipy import sparse

from personalization.events import Item
from personalization.factor_index import APPROXIMATE_FROM, FactorIndex
from personalization.model_tables import NEIGHBOURS, POPULARITY_DAYS, Tables, strongest
from personalization.profiles import at_seconds
from personalization.recipe import Recipe
from training.acts import Acts, Floats, Ints
from training.autoencoder import autoencode
from training.encoders import TextEncoder
from training.factors import factorize
from training.meaning import blended, encoded

MAX_TERM_ITEMS: Final = 2_000
"""A word or tag of more items than this tells nothing and would cost a dense product."""
BLOCK_ENTRIES: Final = 2_000_000
"""Cosines held at a time while the most alike items are sought."""
Doubles = npt.NDArray[np.float64]
_WORD: Final = re.compile(r"\w+")


def build_tables(
    acts: Acts,
    items: Sequence[Item],
    *,
    at: int,
    recipe: Recipe | None = None,
    encoder: TextEncoder | None = None,
    anonymous: Acts | None = None,
) -> Tables:
    """Count everything that arrived until `at` (seconds since 1970).

    With an encoder, items are alike by what their words mean, too. Anonymous acts, of any time, make items
    popular and no others alike.
    """
    counted = acts if anonymous is None else acts.and_those(anonymous.where(anonymous.at <= at))
    recipe = structs.replace(recipe or Recipe(), encoder=encoder.version if encoder else None)
    sequence = acts.first_of_each_item()
    content = content_similarity(items)
    if encoder:
        content = blended(content, encoded(items, encoder), recipe.encoder_weight)
    factors = factorize(sequence, len(items))
    return Tables(
        items=tuple(items),
        at=at,
        similarities={
            **_counted(sequence, len(items), recipe),
            "content": content,
            "autoencoder": autoencode(sequence, len(items)),
        },
        factors=factors,
        popularity=popularity_at(counted, len(items), at),
        first_seen=_first_seen(counted, items),
        recipe=recipe,
        factor_index=FactorIndex.of(factors) if len(items) >= APPROXIMATE_FROM else None,
    )


def recounted(tables: Tables, acts: Acts, recipe: Recipe) -> Tables:
    """Return tables of the same acts by another recipe; what it has no say in is kept."""
    kept = structs.replace(recipe, encoder=tables.recipe.encoder)
    if recipe.counts_as(tables.recipe):
        return replace(tables, recipe=kept)
    counted = _counted(acts.first_of_each_item(), len(tables.items), recipe)
    return replace(tables, similarities={**tables.similarities, **counted}, recipe=kept)


def _counted(sequence: Acts, items: int, recipe: Recipe) -> dict[str, sparse.csr_array]:
    """Count the similarities that a recipe decides."""
    support = np.bincount(sequence.item, minlength=items)
    damping = 1.0 / np.maximum(support, 1) ** recipe.damping
    pairs = _pairs(sequence, items, window=recipe.pair_window, decay=recipe.pair_decay)
    transitions = _pairs(sequence, items, window=recipe.transition_window, decay=recipe.transition_decay)
    covisitation = _damped(sparse.csr_array(pairs + pairs.T), damping)
    return {
        "covisitation": covisitation,
        "transition": _damped(transitions, damping),
        "propagation": propagated(covisitation),
    }


def _pairs(sequence: Acts, items: int, *, window: int, decay: float) -> sparse.csr_array:
    """Directed pairs (earlier, later) of one user, weighted decay^(distance - 1). O(acts x window)."""
    total = sparse.csr_array((items, items), dtype=np.float32)
    for distance in range(1, window + 1):
        same_user = sequence.user[:-distance] == sequence.user[distance:]
        earlier, later = sequence.item[:-distance][same_user], sequence.item[distance:][same_user]
        weight = np.full(len(earlier), decay ** (distance - 1), dtype=np.float32)
        total = total + sparse.csr_array((weight, (earlier, later)), shape=(items, items))
    return sparse.csr_array(total)


def _damped(pairs: sparse.csr_array, damping: Doubles) -> sparse.csr_array:
    """Multiply by a factor of both ends, then keep each row's strongest neighbours."""
    scaled = sparse.diags_array(damping) @ pairs @ sparse.diags_array(damping)
    return strongest(sparse.csr_array(scaled, dtype=np.float32), NEIGHBOURS)


def propagated(similar: sparse.csr_array) -> sparse.csr_array:
    """Take two steps over a similarity: what goes with what goes with an item, likely paths weighing more.

    Items with few acts so borrow from their neighbours' neighbours: a walk of length two over row-normalised
    similarities, as P3 (Cooper et al., 2014) walks over users. Cost: items x `NEIGHBOURS`^2, in blocks.
    """
    reach = np.asarray(similar.sum(axis=1)).ravel()
    step = sparse.csr_array(sparse.diags_array(1.0 / np.maximum(reach, 1e-9)) @ similar, dtype=np.float32)
    return _strongest_product(step, step)


def content_similarity(items: Sequence[Item]) -> sparse.csr_array:
    """Cosine of TF-IDF vectors over tags, category and words of title and text, without an item itself.

    TF-IDF as in Salton and Buckley (1988): 1 for a term that occurs, times log(items / items with it).
    Cost: the sum over terms of their items squared, at most `MAX_TERM_ITEMS` a term of an item: 7 s for 8,000
    items of 40 tags out of 200. Memory: about 90 bytes a cosine of a block, so 190 MB.
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
    return _strongest_product(unit, sparse.csr_array(unit.T))


def _strongest_product(left: sparse.csr_array, right: sparse.csr_array) -> sparse.csr_array:
    """Each row's strongest entries of left @ right off the diagonal, in blocks of rows to bound memory."""
    parts = [sparse.csr_array((0, right.shape[1]), dtype=np.float32)]
    for start, end in _blocks(left, right):
        product = sparse.csr_array(left[start:end] @ right)
        row = np.repeat(np.arange(end - start), np.diff(product.indptr))
        others = product.indices != row + start
        entries = (product.data[others].astype(np.float32), (row[others], product.indices[others]))
        parts.append(strongest(sparse.csr_array(entries, shape=product.shape), NEIGHBOURS))
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


def _blocks(left: sparse.csr_array, right: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Yield runs [start, end) of rows whose part of left @ right has at most `BLOCK_ENTRIES` entries.

    A single row may have more.
    """
    rows, columns = left.shape[0], right.shape[1]
    met = np.concatenate(([0], np.cumsum(np.diff(right.indptr)[left.indices])))
    entries = np.cumsum(np.minimum(met[left.indptr[1:]] - met[left.indptr[:-1]], columns))
    start = 0
    while start < rows:
        before = entries[start - 1] if start else 0
        end = max(int(np.searchsorted(entries, before + BLOCK_ENTRIES, side="right")), start + 1)
        yield start, end
        start = end


def _terms(item: Item) -> set[str]:
    terms = {f"tag:{tag}" for tag in item.tags}
    if item.category:
        terms.add(f"category:{item.category}")
    words = _WORD.findall(f"{item.title or ''} {item.text or ''}".lower())
    return terms | {word for word in words if len(word) > 2}


def popularity_at(acts: Acts, items: int, at: int) -> Floats:
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
