"""A model that is not whole is told from one that is, whichever of its files was lost or cut short."""

import shutil
from pathlib import Path

import pytest

from personalization.errors import ModelError
from personalization.factor_index import FactorIndex
from personalization.model_tables import FACTOR_INDEX_FILE, load_tables, save_tables
from personalization.ranking import METADATA_FILE, Model, read_metadata
from toy_model import toy_model

CUTS = {"lost": None, "empty": 0.0, "cut in half": 0.5, "short of its last byte": 0.999999}
UNTOLD = {
    # The start of a number is a number.
    ("at.json", "cut in half"),
    ("at.json", "short of its last byte"),
    # Small catalogues have none.
    (FACTOR_INDEX_FILE, "lost"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a model, with an index of its factors as large catalogues have."""
    folder = tmp_path_factory.mktemp("model") / "v1"
    tables = toy_model().tables
    save_tables(tables, folder)
    FactorIndex.of(tables.factors).save(folder / FACTOR_INDEX_FILE)
    load_tables(folder)
    return folder


@pytest.mark.parametrize("damage", CUTS)
def test_whichever_file_is_not_whole_the_model_is_refused(whole: Path, tmp_path: Path, damage: str) -> None:
    for name in sorted(path.name for path in whole.iterdir()):
        if (name, damage) in UNTOLD:
            continue
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        share = CUTS[damage]
        if share is None:
            (folder / name).unlink()
        else:
            body = (folder / name).read_bytes()
            (folder / name).write_bytes(body[: int(share * len(body))])
        with pytest.raises(ModelError, match="can't be read"):
            load_tables(folder)


def test_a_model_without_its_metadata_or_with_half_of_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no metadata"):
        Model.load(tmp_path)
    (tmp_path / METADATA_FILE).write_bytes(b'{"version": "v1", "trai')
    with pytest.raises(ModelError, match="metadata can't be read"):
        read_metadata(tmp_path)
