"""An alarm's change of state -> at most one rollback a publish."""

from collections.abc import Mapping
from typing import Any

from functions.roll_back_model.dependencies import dependencies
from personalization.errors import Conflict, ModelError
from personalization.names import Metric
from personalization.rollback import roll_back_on_alarm
from personalization.runtime.clock import now
from personalization.runtime.observability import count, logger, worker


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Roll back, or say why the model stays; a fault of the table is raised, so that Lambda tries again."""
    deps, alarm = dependencies(), event["detail"]["alarmName"]
    try:
        model = roll_back_on_alarm(deps.lists, now=now(), within=deps.within)
    except (ModelError, Conflict) as error:
        logger.warning("the model stays", alarm=alarm, reason=str(error))
        return {"rolled_back": False, "reason": str(error)}
    logger.warning("rolled back", alarm=alarm, version=model.version, instead_of=model.previous)
    count(Metric.MODELS_ROLLED_BACK)
    return {"rolled_back": True, "version": model.version}
