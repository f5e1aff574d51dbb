"""The model's tables: counted right, bounded, and the same bytes for the same log."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from personalization.errors import ModelError
from personalization.events import Item
from personalization.model_tables import NEIGHBOURS, Tables, load_tables, save_tables, strongest
from training.acts import Acts
from training.tables import build_tables, content_similarity

DAY = 86_400
ITEMS = [Item(item_id=name) for name in "abcd"]


def sequences(*users: str, start: int = 1_000 * DAY) -> Acts:
    """One user per word, one act per letter, a day apart."""
    rows = [
        (user, "abcd".index(letter), start + place * DAY)
        for user, word in enumerate(users)
        for place, letter in enumerate(word)
    ]
    user, item, at = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Acts(user, item, at, np.ones(len(user), dtype=np.float32))


def tables(*users: str) -> Tables:
    acts = sequences(*users)
    return build_tables(acts, ITEMS, at=int(acts.at.max()))


def test_transitions_go_forward_only_and_covisitation_both_ways() -> None:
    built = tables("ab")
    assert built.similarities["transition"][[0], [1]][0] > 0
    assert built.similarities["transition"][[1], [0]][0] == 0
    both = built.similarities["covisitation"]
    assert both[[0], [1]][0] == both[[1], [0]][0] > 0


def test_nearer_items_are_more_alike() -> None:
    row = tables("abcd").similarities["covisitation"].toarray()[0]
    assert row[1] > row[2] > row[3] > row[0] == 0


def test_what_goes_with_everything_is_damped() -> None:
    row = tables("ab", "ac", "bc", "dc").similarities["covisitation"].toarray()[0]
    assert row[1] > row[2]


def test_users_do_not_leak_into_each_other() -> None:
    assert tables("a", "b").similarities["covisitation"].nnz == 0


def test_propagation_reaches_items_that_nobody_took_together() -> None:
    built = tables("ab", "bc")
    assert built.similarities["covisitation"][[0], [2]][0] == 0
    assert built.similarities["propagation"][[0], [2]][0] > 0
    assert built.similarities["propagation"].diagonal().sum() == 0


def test_popularity_counts_by_window() -> None:
    built = build_tables(sequences("abcd"), ITEMS, at=1_003 * DAY)
    assert built.popularity[:, 0].tolist() == [0, 0, 0, 1]
    assert built.popularity[:, 1].tolist() == [1, 1, 1, 1]
    assert built.first_seen.tolist() == [1_000 * DAY, 1_001 * DAY, 1_002 * DAY, 1_003 * DAY]


def test_an_empty_log_makes_empty_tables() -> None:
    empty = np.empty(0, dtype=np.int64)
    built = build_tables(Acts(empty, empty, empty, empty.astype(np.float32)), ITEMS, at=0)
    assert built.popular.tolist() == [0, 1, 2, 3]
    assert built.similarities["covisitation"].nnz == 0


def test_items_are_alike_by_what_few_share() -> None:
    items = [
        Item(item_id="1", tags=("red", "wool"), title="Scarf"),
        Item(item_id="2", tags=("red", "wool"), title="Scarf"),
        Item(item_id="3", tags=("red",), title="Hat"),
        Item(item_id="4", tags=("blue",)),
    ]
    alike = content_similarity(items).toarray()
    assert alike[0, 1] == pytest.approx(1.0)
    assert 0 < alike[0, 2] < alike[0, 1]
    assert alike[0, 3] == alike[0, 0] == 0


@pytest.mark.parametrize("entries", [1, 700, 10**9])
def test_alike_items_are_found_block_by_block(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the dense product, with more than `NEIGHBOURS` equally alike items, of which the first stay."""
    monkeypatch.setattr("training.tables.BLOCK_ENTRIES", entries)
    tags = np.random.default_rng(3).random((2 * NEIGHBOURS, 6)) < 0.4
    items = [
        Item(item_id=str(row), tags=tuple(f"t{tag}" for tag in np.flatnonzero(has)))
        for row, has in enumerate(tags)
    ]
    weights = tags * np.log(len(items) / tags.sum(axis=0))
    unit = weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    cosines = (unit @ unit.T).astype(np.float32)
    np.fill_diagonal(cosines, 0)
    found = content_similarity(items)
    assert found.dtype == np.float32
    for row, expected in zip(found.toarray(), cosines, strict=True):
        np.testing.assert_allclose(np.sort(row)[-NEIGHBOURS:], np.sort(expected)[-NEIGHBOURS:], rtol=1e-5)
        assert np.count_nonzero(row) == min(NEIGHBOURS, np.count_nonzero(expected))


def test_of_equally_alike_items_the_first_stay() -> None:
    alike = [Item(item_id=str(number), tags=("x",)) for number in range(NEIGHBOURS + 20)]
    other = [Item(item_id=f"other-{number}") for number in range(5)]
    found = content_similarity([*alike, *other])
    assert found[[0]].indices.tolist() == list(range(1, NEIGHBOURS + 1))
    assert found[[NEIGHBOURS + 19]].indices.tolist() == list(range(NEIGHBOURS))


def test_words_of_the_text_count_as_those_of_the_title() -> None:
    words = [Item(item_id="1", title="Oak table"), Item(item_id="2", text="An OAK bench"), Item(item_id="3")]
    assert content_similarity(words).toarray()[0, 1] > 0


def test_a_catalogue_without_words_is_fine() -> None:
    assert content_similarity(ITEMS).nnz == 0


def test_equal_logs_make_equal_bytes_and_tables_survive_the_disk(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_tables(tables("abcd", "bca"), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    loaded, built = load_tables(tmp_path / "one"), tables("abcd", "bca")
    assert loaded.items == built.items
    for name, matrix in built.similarities.items():
        np.testing.assert_array_equal(loaded.similarities[name].toarray(), matrix.toarray())


def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    save_tables(tables("ab"), tmp_path)
    (tmp_path / "content.data.npy").unlink()
    with pytest.raises(ModelError, match="can't be read"):
        load_tables(tmp_path)


@given(st.integers(0, 2**31), st.integers(1, 6))
def test_the_strongest_entries_of_each_row_are_kept(seed: int, count: int) -> None:
    dense = np.random.default_rng(seed).integers(0, 4, size=(7, 9)).astype(np.float32)
    kept = strongest(sparse.csr_array(dense), count).toarray()
    for row, full in zip(kept, dense, strict=True):
        assert (row > 0).sum() == min(count, (full > 0).sum())
        assert sorted(row[row > 0]) == sorted(full[full > 0])[-count:]


def test_rows_are_bounded_however_much_is_seen_together() -> None:
    items = [Item(item_id=f"{number:03}") for number in range(3 * NEIGHBOURS)]
    chance = np.random.default_rng(1)
    user = np.repeat(np.arange(400), 20)
    item = chance.integers(len(items), size=len(user))
    acts = Acts(user, item, np.arange(len(user)), np.ones(len(user), dtype=np.float32))
    matrix = build_tables(acts, items, at=len(user)).similarities["covisitation"]
    assert np.diff(matrix.indptr).max() <= NEIGHBOURS


def test_an_empty_catalogue_makes_empty_tables() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    tables = build_tables(Acts(nothing, nothing, nothing, np.zeros(0, dtype=np.float32)), [], at=0)
    assert {table.shape for table in tables.similarities.values()} == {(0, 0)}
