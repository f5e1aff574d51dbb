"""Alarms on the slow loop: nights that end badly, models that are refused, undone or old."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn

from infrastructure.constructs.alarms import ABOVE, BELOW, DAY, FIVE_MINUTES, Alarms, Rule
from infrastructure.constructs.metrics import counted
from personalization.names import Metric

_ANY: Rule = Rule(comparison=ABOVE, threshold=0)
_STAYS = "Recommendations stay as of the model before"


def training_failed(alarms: Alarms, workflow: sfn.IStateMachine) -> None:
    """Watch for trainings that don't end well; the model in service stays."""
    endings = {
        "TrainingFailed": ("failed", workflow.metric_failed(period=FIVE_MINUTES)),
        "TrainingTimedOut": ("took too long", workflow.metric_timed_out(period=FIVE_MINUTES)),
    }
    for name, (ending, metric) in endings.items():
        alarms.watch(name, metric, _ANY, f"{_STAYS}: a training {ending}.", "training-failed")


def model_refused(alarms: Alarms) -> None:
    """Watch for models that the gate does not let through."""
    _count(
        alarms,
        "ModelRefused",
        Metric.MODELS_REFUSED,
        f"{_STAYS}: the gate refused tonight's.",
        "model-refused",
    )


def night_stopped(alarms: Alarms) -> None:
    """Watch for nights whose data is not fit to train on: volume, duplicates, schema, drift."""
    feel = f"{_STAYS}: the night's data is unsound or has drifted."
    _count(alarms, "NightStopped", Metric.NIGHTS_STOPPED, feel, "night-stopped")


def model_rolled_back(alarms: Alarms) -> None:
    """Watch for models that an alarm put back in service."""
    feel = "Users see the model before again: the click-through rate fell soon after a publish."
    undone = counted(Metric.MODELS_ROLLED_BACK, service="roll_back_model", period=FIVE_MINUTES)
    alarms.watch("ModelRolledBack", undone, _ANY, feel, "model-rolled-back")


def model_stale(alarms: Alarms) -> cloudwatch.Alarm:
    """Watch for days on which nothing was published; rings from deployment to the first publish."""
    published = counted(Metric.LISTS_PUBLISHED, service="run_training_step", period=DAY)
    missing = cloudwatch.TreatMissingData.BREACHING
    return alarms.watch(
        "ModelStale",
        published,
        Rule(comparison=BELOW, threshold=1, periods=2, breaching=2, missing=missing),
        "Recommendations know nothing of the last days: no model was published for two.",
        "model-stale",
    )


def _count(alarms: Alarms, name: str, metric: Metric, feel: str, page: str) -> None:
    happened = counted(metric, service="run_training_step", period=FIVE_MINUTES)
    alarms.watch(name, happened, _ANY, feel, page)
