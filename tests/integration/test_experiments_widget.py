"""The dashboard's widget reads what the analysis stored."""

from datetime import UTC, datetime

import boto3

from console_site import results
from contracts.conftest import TABLE
from functions.show_experiments.handler import handler as show_experiments
from integration.conftest import CONTEXT, Platform
from personalization.adapters.dynamodb import DynamoExperimentStore


def test_the_widget_shows_stored_results(platform: Platform) -> None:
    stored = results(datetime.now(UTC))
    DynamoExperimentStore(boto3.client("dynamodb"), TABLE).write_results(stored)
    names = [stored.experiment]
    context = {"theme": "light", "params": {"experiments": names}}
    shown = show_experiments({"experiments": names, "widgetContext": context}, CONTEXT)
    assert stored.experiment in shown
