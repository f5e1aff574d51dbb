"""A configuration that AppConfig is about to deploy -> nothing, or the reason why not."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from personalization.definitions import parse_definitions
from personalization.runtime.observability import logger


def handler(event: Mapping[str, Any], context: Any) -> None:  # noqa: ARG001
    """Check `{"content": base64, …}`; what is raised, AppConfig shows to whoever deploys.

    Raises
    ------
    InvalidInput
        `invalid_experiments`, with what to change.
    """
    definitions = parse_definitions(b64decode(event["content"]))
    logger.info(
        "experiments are valid",
        version=event.get("configurationVersion"),
        experiments=[experiment.name for experiment in definitions.experiments],
    )
