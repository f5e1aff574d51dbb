"""Wiring of `get_experiment`, once per container."""

from dataclasses import dataclass
from functools import cache

from functions.get_experiment.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.clients import ON_REQUEST, impatient
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.experiments import NO_EXPERIMENTS
from personalization.ports import ExperimentStore
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    store: ExperimentStore
    deployed: DeployedDefinitions

    def is_defined(self, name: str) -> bool:
        """Whether there is an experiment of this name."""
        definitions = self.deployed.read() or NO_EXPERIMENTS
        return definitions.experiment(name) is not None


@cache
def dependencies() -> Dependencies:
    """Build the clients."""
    settings = load_settings(Settings)
    address = Address.parse(settings.experiments_address)
    return Dependencies(
        DynamoExperimentStore(impatient("dynamodb", ON_REQUEST), settings.table_name),
        DeployedDefinitions(impatient("appconfigdata", ON_REQUEST), address),
    )
