"""Content by meaning: items that share no word are alike, by any encoder, and a model says by which."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from personalization.events import Item
from personalization.model_tables import NEIGHBOURS, load_tables, save_tables
from training import pipeline
from training.acts import Acts
from training.encoders import ENCODERS, TextEncoder
from training.meaning import blended, described, encoded
from training.tables import build_tables, content_similarity

MEANINGS = {"couch": 0, "sofa": 0, "laptop": 1, "notebook": 1, "computer": 1}
NOTHING = Acts(*(np.empty(0, dtype=np.int64),) * 3, np.empty(0, dtype=np.float32))
SHOP = [
    Item(item_id="1", title="Leather couch"),
    Item(item_id="2", title="Corner sofa"),
    Item(item_id="3", title="Leather notebook"),
    Item(item_id="4"),
]


class Thesaurus:
    """Knows what a few words mean; every meaning is a dimension, and unknown words say nothing."""

    version = "thesaurus 1"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 2), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                if word in MEANINGS:
                    vectors[row, MEANINGS[word]] = 1.0
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)


class Broken(Thesaurus):
    def __init__(self, returned: np.ndarray) -> None:
        self.returned = returned

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return self.returned


def content(items: Sequence[Item], encoder: TextEncoder | None) -> np.ndarray:
    return build_tables(NOTHING, items, at=0, encoder=encoder).similarities["content"].toarray()


def test_items_without_a_common_word_are_alike_by_meaning() -> None:
    words, both = content(SHOP, None), content(SHOP, Thesaurus())
    assert words[0, 1] == 0 < both[0, 1] == pytest.approx(0.5 / 1.5)
    assert both[0, 2] == pytest.approx(words[0, 2] / 1.5)
    assert not both[3].any()
    assert not both.diagonal().any()


def test_a_model_says_what_its_content_was_encoded_by(tmp_path: Path) -> None:
    save_tables(build_tables(NOTHING, SHOP, at=0, encoder=Thesaurus()), tmp_path)
    assert load_tables(tmp_path).recipe.encoder == "thesaurus 1"
    assert build_tables(NOTHING, SHOP, at=0).recipe.encoder is None


@pytest.mark.parametrize("entries", [1, 5_000, 10**8])
def test_a_blend_is_the_cosine_of_both_vectors_in_one(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against dense products, in blocks of any size, for the pairs that either finds."""
    monkeypatch.setattr("training.meaning.BLOCK_ENTRIES", entries)
    chance = np.random.default_rng(4)
    meaning = np.abs(chance.normal(size=(NEIGHBOURS, 5))).astype(np.float32)
    meaning /= np.linalg.norm(meaning, axis=1, keepdims=True)
    words = chance.random((NEIGHBOURS, 7))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    lexical = words @ words.T
    np.fill_diagonal(lexical, 0)
    whole = np.hstack([words, np.sqrt(0.3) * meaning]) / np.sqrt(1.3)
    expected = whole @ whole.T
    np.fill_diagonal(expected, 0)
    found = blended(sparse.csr_array(lexical, dtype=np.float32), meaning, 0.3)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-6)


def test_rows_keep_their_bound() -> None:
    items = [Item(item_id=str(number), title="couch sofa", tags=("x",)) for number in range(2 * NEIGHBOURS)]
    found = build_tables(NOTHING, items, at=0, encoder=Thesaurus()).similarities["content"]
    assert set(np.diff(found.indptr).tolist()) == {NEIGHBOURS}


def test_an_empty_catalogue_is_encoded_to_nothing() -> None:
    assert content([], Thesaurus()).shape == (0, 0)


@pytest.mark.parametrize(
    "returned",
    [
        np.ones((4, 2), dtype=np.float32),
        np.full((4, 2), np.nan, dtype=np.float32),
        np.zeros((3, 2), dtype=np.float32),
        np.zeros(4, dtype=np.float32),
        np.zeros((4, 2)),
    ],
    ids=["not of length 1", "not a number", "too few", "no vectors", "doubles"],
)
def test_what_an_encoder_may_not_return_is_refused(returned: np.ndarray) -> None:
    with pytest.raises(ValueError, match="thesaurus 1 must return float32 rows"):
        encoded(SHOP, Broken(returned))


def test_all_that_is_known_of_an_item_is_encoded() -> None:
    item = Item(item_id="1", title="Scarf", category="Winter", tags=("red", "wool"), text="Warm.")
    assert described(item) == "Scarf. Winter. red, wool. Warm."
    assert described(Item(item_id="1")) == ""


def test_an_encoder_that_is_not_installed_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.encoders.find_spec", lambda _: None)
    events = tmp_path / "events.jsonl"
    events.touch()
    arguments = ["--events", str(events), "--output", str(tmp_path / "out"), "--encoder", "wordllama"]
    assert pipeline.main(arguments) == 1
    assert "extra `embeddings`" in capsys.readouterr().err.replace("\n", " ")


@pytest.fixture(scope="module")
def wordllama() -> TextEncoder:
    if importlib.util.find_spec("wordllama") is None:
        pytest.skip("the real encoder is an extra: uv sync --inexact --extra embeddings")
    return ENCODERS["wordllama"]()


def test_a_kitten_is_a_cat_and_no_market(wordllama: TextEncoder) -> None:
    texts = ["A cat on a mat", "kitten lying on a rug", "stock market crash", ""]
    cat, kitten, market, nothing = wordllama.encode(texts)
    assert cat @ kitten > 0.3 > cat @ market
    assert np.linalg.norm(cat) == pytest.approx(1.0)
    assert not nothing.any()


def test_a_text_is_encoded_the_same_whatever_comes_with_it(wordllama: TextEncoder) -> None:
    alone, together = wordllama.encode(["oak table"]), wordllama.encode(["oak table", "a " * 2_000])
    np.testing.assert_array_equal(alone[0], together[0])


def test_the_real_encoder_says_its_version_and_finds_a_sofa_beside_a_couch(wordllama: TextEncoder) -> None:
    tables = build_tables(NOTHING, SHOP, at=0, encoder=wordllama)
    assert tables.recipe.encoder is not None
    assert tables.recipe.encoder.startswith("wordllama ")
    assert content_similarity(SHOP).toarray()[1, 0] == 0
    assert tables.similarities["content"].toarray()[1].argmax() == 0
