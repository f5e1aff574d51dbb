"""A model's recipe decides how candidates are found, and survives the disk."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from personalization.candidates import SOURCES, generate, history_of
from personalization.events import Item
from personalization.model_tables import load_tables, save_tables
from personalization.profiles import CODES, EventType, Profile
from personalization.recipe import Recipe
from training.acts import Acts
from training.tables import build_tables

ITEMS = [Item(item_id=f"i{number}") for number in range(30)]
CLICK = CODES[EventType.CLICK]
PROFILE = Profile(recent={"i3": (30, CLICK, 0), "i2": (20, CLICK, 0), "i1": (10, CLICK, 0)})


def walked() -> Acts:
    """Twenty users walk the catalogue in its order, each from another place."""
    rows = np.array([(user, (user + step) % 30, step) for user in range(20) for step in range(8)])
    return Acts(rows[:, 0], rows[:, 1], rows[:, 2], np.ones(len(rows), dtype=np.float32))


def test_a_source_that_is_off_still_scores_what_others_offer() -> None:
    off = Recipe(offered={**Recipe().offered, "covisitation": 0})
    tables = build_tables(walked(), ITEMS, at=100, recipe=off)
    found = generate(history_of([PROFILE], tables), tables)
    place = SOURCES.index("covisitation")
    assert np.isnan(found.rank[:, place]).all()
    assert (found.score[:, place] > 0).any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_transitions_start_from_so_many_of_the_latest_items(count: int) -> None:
    tables = build_tables(walked(), ITEMS, at=100, recipe=Recipe(last_items=count))
    history = history_of([PROFILE], tables)
    assert history.last.indices.tolist() == sorted(tables.index[item] for item in ("i3", "i2", "i1")[:count])
    assert (history.newest[0], history.previous[0]) == (tables.index["i3"], tables.index["i2"])


def test_a_recipe_rests_beside_the_tables_it_made(tmp_path: Path) -> None:
    recipe = Recipe(damping=0.25, pair_window=3)
    save_tables(build_tables(walked(), ITEMS, at=100, recipe=recipe), tmp_path)
    assert load_tables(tmp_path).recipe == recipe


@pytest.mark.parametrize("wrong", [b'{"damping": 2}', b'{"pair_window": 0}', b'{"speed": 1}'])
def test_a_recipe_out_of_bounds_is_refused(wrong: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Recipe)


def test_a_decay_of_nothing_leaves_the_whole_history_as_it_was() -> None:
    """Found in review: the undecayed weights were once divided out of the decayed ones."""
    tables = build_tables(walked(), ITEMS, at=100, recipe=Recipe(history_decay=0))
    history = history_of([PROFILE], tables)
    assert history.whole.sum() == 3
    assert history.weights.sum() == 1
