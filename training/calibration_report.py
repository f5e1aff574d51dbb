"""Predicted against observed click-through as a section of the report."""

from collections.abc import Sequence
from html import escape

from training.calibration import Calibration
from training.charts import table


def calibration_section(found: Sequence[Calibration]) -> str:
    """Lay out a row a model version as HTML; strings of the data are only ever text in it."""
    if not found:
        return "<p class=soft>No lists were shown on two days yet.</p>"
    words = (
        f"Lists shown on {found[0].day}, against what their places drew on the days before (isotonic fit). "
        "Lift is observed over expected, less 1; ECE the mean distance by place; Brier the mean squared "
        "error of single clicks. A version of negative lift is worse than those before."
    )
    rows = [
        [
            one.version,
            f"{one.impressions:,}",
            f"{one.clicks:,}",
            f"{one.expected:.2%}",
            f"{one.observed:.2%}",
            f"{one.observed / one.expected - 1:+.1%}" if one.expected else "n/a",
            f"{one.calibration_error:.4f}",
            f"{one.brier:.4f}",
        ]
        for one in found
    ]
    head = ["version", "shown", "clicked", "expected CTR", "observed CTR", "lift", "ECE", "Brier"]
    return f"<p class=soft>{escape(words)}</p>" + table(head, rows)
