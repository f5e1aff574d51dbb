"""What a night is told of experiments: their definitions, and the published model that a variant tries."""

from pathlib import Path
from typing import Final

from personalization.definitions import parse_definitions
from personalization.errors import ModelError
from personalization.experiments import NO_EXPERIMENTS, Definitions
from personalization.ranking import Model

EXPERIMENTS_FILE: Final = "experiments.json"


def read_experiments(folder: Path) -> Definitions:
    """Read the definitions of a folder; one without them has no experiments.

    Raises
    ------
    InvalidInput
        `invalid_experiments`: they can't be read.
    """
    path = folder / EXPERIMENTS_FILE
    return parse_definitions(path.read_bytes()) if path.exists() else NO_EXPERIMENTS


def read_tried(folder: Path, definitions: Definitions) -> Model | None:
    """Load the published model that a variant names; None if none does, or it can't be used.

    It may not be there, or be of other features than this code: an experiment must not stop the night, and
    lists say which model made them.
    """
    if definitions.tried_model is None:
        return None
    try:
        return Model.load(folder)
    except ModelError:
        return None
