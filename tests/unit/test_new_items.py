"""An item that nobody has acted on reaches users through what it is like: by night, and after an act."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from factories import NOW, event
from personalization.adapters.memory import FixedDefinitions, MemoryTable, StoredState
from personalization.events import Item
from personalization.experiments import Definitions
from personalization.features import FEATURES
from personalization.lists import decode_list
from personalization.model_tables import Floats
from personalization.ports import ActiveModel, RefreshRequest
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply, at_seconds
from personalization.ranking import REASONS, Model
from personalization.refreshing import Refresher
from personalization.registry import Metadata
from personalization.reranking import Doubles
from training.acts import Acts
from training.lists import user_lists
from training.tables import build_tables

ACTED_ON, NEW = 300, "sku-new"
USERS = ["ann", "bob"]


class ByContent:
    """Ranks by how alike items are to what the user knows."""

    def predict(self, matrix: Floats) -> Doubles:
        return matrix[:, FEATURES.index("content_score")].astype(float)


class Furniture:
    """Knows that a sofa is a couch, and nothing else."""

    version = "furniture 1"

    def encode(self, texts: Sequence[str]) -> Floats:
        return np.array([["sofa" in text or "couch" in text] for text in texts], dtype=np.float32)


def built(title: str, *, meaning: bool = False) -> Model:
    """A model of 300 items with acts, item 7 a sofa, and of a new one that lies last in the catalogue."""
    items = [Item(item_id=f"sku-{number}", title=f"thing{number % 150}") for number in range(ACTED_ON)]
    items[7] = replace_title(items[7], "sofa")

    items.append(Item(item_id=NEW, title=title))
    chance = np.random.default_rng(5)
    user = np.repeat(np.arange(200), 15)
    at = np.sort(at_seconds(NOW) - chance.integers(0, 40 * 86_400, size=len(user)))
    acts = Acts(user, chance.integers(ACTED_ON, size=len(user)), at, np.ones(len(user), dtype=np.float32))
    tables = build_tables(acts, items, at=at_seconds(NOW), encoder=Furniture() if meaning else None)
    facts = {"version": "v1", "trained_at": NOW, "features": FEATURES, "events": 0, "users": 0}
    metadata = Metadata(**facts, items=len(items), data_from=None, data_to=None, parameters={})
    return Model(metadata, tables, ByContent())


def replace_title(item: Item, title: str) -> Item:
    return Item(item_id=item.item_id, title=title)


def profile() -> Profile:
    made = Profile()
    apply(made, event("click", "sku-7"))
    return made


def by_night(model: Model) -> list[dict[str, str | None]]:
    owned = sparse.csr_array((len(USERS), len(model.tables.items)))
    lists = user_lists(model, USERS, [profile() for _ in USERS], Definitions(), now=NOW, owned=owned)
    return [{item.item_id: item.reason for item in found.recommendations.items} for found in lists]


def after_an_act(model: Model) -> list[dict[str, str | None]]:
    table = MemoryTable(active=ActiveModel("v1", None, 0))
    table.states = {user: StoredState(encode(profile())) for user in USERS}
    refresher = Refresher(
        table, table, lambda _: model, FixedDefinitions(Definitions()), lambda: NOW, lambda: "id"
    )
    for user in USERS:
        assert refresher.refresh(RefreshRequest(user, ("home",))) == 1
    return [
        {item.item_id: item.reason for item in found.items}
        for found in map(decode_list, table.lists.values())
    ]


@pytest.mark.parametrize("path", [by_night, after_an_act])
@pytest.mark.parametrize(("title", "meaning"), [("a sofa", False), ("a couch", True)])
def test_a_new_item_reaches_who_knows_one_like_it(path, title: str, meaning: bool) -> None:
    lists = path(built(title, meaning=meaning))
    assert len(lists) == len(USERS)
    assert [found[NEW] for found in lists] == [REASONS["content"]] * len(USERS)


@pytest.mark.parametrize("path", [by_night, after_an_act])
def test_without_a_likeness_nothing_leads_to_a_new_item(path) -> None:
    """So it was content that did."""
    model = built("a couch")
    assert not any(NEW in found for found in path(model))
    model = built("a sofa")
    bare = {**model.tables.similarities, "content": sparse.csr_array((ACTED_ON + 1,) * 2, dtype=np.float32)}
    assert not any(
        NEW in found for found in path(replace(model, tables=replace(model.tables, similarities=bare)))
    )
