"""A dashboard's question -> HTML, which it cleans of scripts and shows.

Protocol: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from functions.show_experiments.dependencies import experiments
from functions.show_experiments.widget import DESCRIPTION, experiments_of, is_dark, widget
from personalization.errors import CorruptData
from personalization.experiment_results import ExperimentResults


def handler(event: Mapping[str, Any], context: Any) -> str | dict[str, str]:  # noqa: ARG001
    """Describe the widget, or draw the experiments that its parameters name."""
    if event.get("describe"):
        return {"markdown": DESCRIPTION}
    names = experiments_of(event)
    return widget(names, _results(names), dark=is_dark(event))


def _results(names: Sequence[str]) -> dict[str, ExperimentResults]:
    """Read each on its own, 20 at most, so that one that can't be read hides no other."""
    found: dict[str, ExperimentResults] = {}
    for name in names:
        with suppress(CorruptData):
            found |= {results.experiment: results for results in experiments().results([name])}
    return found
