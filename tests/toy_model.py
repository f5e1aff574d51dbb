"""A small model of a made-up shop, whose ranking anybody can follow."""

from datetime import timedelta

import numpy as np

from factories import NOW
from personalization.events import Item
from personalization.features import FEATURES
from personalization.profiles import at_seconds
from personalization.ranking import Metadata, Model
from personalization.reranking import Doubles
from training.acts import Acts
from training.tables import build_tables

COUNT, NEWCOMERS = 300, 8


class ByPopularity:
    """A ranker that anybody can follow: what is popular comes first."""

    def predict(self, matrix: np.ndarray) -> Doubles:
        return matrix[:, FEATURES.index("popularity_365d")].astype(float)


def toy_model(version: str = "v1") -> Model:
    """300 items of 7 categories and 40 tags; the last 8 were published today and nobody has seen them."""
    chance = np.random.default_rng(5)
    fresh = dict.fromkeys(range(COUNT - NEWCOMERS, COUNT), NOW)
    items = [
        Item(
            item_id=f"sku-{number:03}",
            title=f"Item {number}",
            tags=(f"t{number % 40}",),
            category=f"c{number % 7}",
            published_at=fresh.get(number, NOW - timedelta(days=300)),
        )
        for number in range(COUNT)
    ]
    user = np.repeat(np.arange(200), 15)
    item = np.minimum(chance.geometric(0.02, size=len(user)), COUNT - NEWCOMERS) - 1
    at = at_seconds(NOW) - chance.integers(0, 40 * 86_400, size=len(user))
    order = np.lexsort((at, user))
    acts = Acts(user, item[order], at[order], np.ones(len(user), dtype=np.float32))
    tables = build_tables(acts, items, at=at_seconds(NOW))
    metadata = Metadata(
        version=version,
        trained_at=NOW,
        features=FEATURES,
        events=0,
        users=0,
        items=COUNT,
        data_from=None,
        data_to=None,
        parameters={},
    )
    return Model(metadata, tables, ByPopularity())
