"""A dashboard's question -> HTML, which it cleans of scripts and shows.

Protocol: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from collections.abc import Mapping
from typing import Any

from functions.show_experiments.dependencies import reports
from functions.show_experiments.widget import DESCRIPTION, experiments_of, is_dark, widget


def handler(event: Mapping[str, Any], context: Any) -> str | dict[str, str]:  # noqa: ARG001
    """Describe the widget, or draw the experiments that its parameters name."""
    if event.get("describe"):
        return {"markdown": DESCRIPTION}
    names = experiments_of(event)
    return widget(names, reports().results(names), dark=is_dark(event))
