"""Graphs of a dashboard, all alike."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

PERIOD: Final = Duration.minutes(5)
HOUR: Final = Duration.hours(1)
DAY: Final = Duration.days(1)
_WIDTH: Final = 8
_HEIGHT: Final = 6


def graph(
    title: str,
    *metrics: cloudwatch.IMetric,
    unit: str,
    least: float | None = 0,
    lines: Mapping[str, float] | None = None,
    width: int = _WIDTH,
) -> cloudwatch.GraphWidget:
    """Return a graph with one axis; `lines` are drawn across it, by label."""
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=least, show_units=False),
        left_annotations=[
            cloudwatch.HorizontalAnnotation(label=label, value=value, color=cloudwatch.Color.GREY)
            for label, value in (lines or {}).items()
        ],
        width=width,
        height=_HEIGHT,
    )


def math(
    expression: str,
    using: Mapping[str, cloudwatch.IMetric],
    label: str,
    *,
    period: Duration = PERIOD,
    color: str | None = None,
) -> cloudwatch.MathExpression:
    """Return an expression over metrics by id."""
    return cloudwatch.MathExpression(
        expression=expression, using_metrics=dict(using), label=label, period=period, color=color
    )


def total(
    metrics: Sequence[cloudwatch.IMetric], prefix: str, factor: str = "1"
) -> tuple[str, dict[str, cloudwatch.IMetric]]:
    """Return an expression for the sum of metrics, and what its ids stand for."""
    using = {f"{prefix}{number}": metric for number, metric in enumerate(metrics)}
    return f"{factor} * ({' + '.join(f'FILL({name}, 0)' for name in using)})", using


def heading(text: str) -> cloudwatch.TextWidget:
    """Return a line of text across the dashboard."""
    return cloudwatch.TextWidget(
        markdown=text, width=24, height=1, background=cloudwatch.TextWidgetBackground.TRANSPARENT
    )
