"""The experiments as data scientists write them, in YAML, read at synthesis; Lambdas are given JSON."""

from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import yaml

from personalization.definitions import parse_definitions
from personalization.errors import InvalidInput
from personalization.experiments import Definitions

EXPERIMENTS: Final = Path(__file__).with_name("experiments.yaml")


@cache
def read_definitions(path: Path = EXPERIMENTS) -> Definitions:
    """Read and check a file of definitions.

    Raises
    ------
    InvalidInput
        `invalid_experiments`, with what to change, and in which line if it is no YAML.
    """
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput("invalid_experiments", f"{path.name}: {error}") from None
    return parse_definitions(msgspec.json.encode(written or {}))


def as_json(definitions: Definitions) -> str:
    """Return definitions as `parse_definitions` reads them."""
    return msgspec.json.encode(definitions).decode()


def defaults_as_json(definitions: Definitions) -> str:
    """Return the part of definitions that holds without experiments."""
    return as_json(Definitions(defaults=definitions.defaults))
