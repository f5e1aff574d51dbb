"""What the same traffic costs at Amazon Personalize."""

from typing import Final

from infrastructure.cost.prices import PriceList
from infrastructure.cost.quantities import MEASURED
from infrastructure.cost.traffic import NIGHTS, Traffic
from infrastructure.cost.usage import GB

TRAININGS: Final = NIGHTS / 7
"""A solution trains itself anew every seven days by default."""


def requests_alone(traffic: Traffic, prices: PriceList) -> float:
    """Return dollars a month for the recommendations, and nothing else."""
    return prices.personalize["request"].of(traffic.requests)


def with_training(traffic: Traffic, prices: PriceList) -> float:
    """Return dollars a month: requests, events taken in, and all acts of the history in each training.

    What stands in front of it (an API, an event stream, a cache) and experiments come on top.
    """
    price = prices.personalize
    size = traffic.events * MEASURED.stream_event_bytes / GB
    trained = price["interaction_trained"].of(traffic.acts * TRAININGS)
    return requests_alone(traffic, prices) + trained + price["data_gb"].of(size)
