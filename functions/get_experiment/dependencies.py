"""Wiring of `get_experiment`, once per container."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from functions.get_experiment.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.experiments import packaged_definitions
from personalization.ports import ExperimentStore
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    store: ExperimentStore

    def defined(self) -> Sequence[str]:
        """Name the experiments that are defined."""
        return [experiment.name for experiment in packaged_definitions().experiments]


@cache
def dependencies() -> Dependencies:
    """Build the client."""
    settings = load_settings(Settings)
    return Dependencies(DynamoExperimentStore(impatient("dynamodb"), settings.table_name))
