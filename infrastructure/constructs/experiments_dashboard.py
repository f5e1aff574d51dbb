"""The dashboard of experiments and models: what users like, what it brings in, how good the model is."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infrastructure.constructs.experiment_alarms import BROKEN_SPLIT
from infrastructure.constructs.graphs import DAY, HOUR, graph, heading, math
from infrastructure.constructs.metrics import VariantSeries, analyzed, by_experiment, counted, measured
from infrastructure.constructs.python_function import PythonFunction
from personalization.names import Metric

_Z: Final = 1.96
"""Of a 95% interval."""
_COLOURS: Final = (
    ("#1f77b4", "#aec7e8"),
    ("#d62728", "#ff9896"),
    ("#2ca02c", "#98df8a"),
    ("#9467bd", "#c5b0d5"),
)
"""Of a variant's figure and of its interval's ends; told apart by their labels too."""
_WEEK: Final = Duration.days(7)


class ExperimentsDashboard(cloudwatch.Dashboard):
    """Results as `analyze_experiments` judges them, then what it judges, hour by hour, then the model."""

    def __init__(self, scope: Construct, construct_id: str, *, results: PythonFunction) -> None:
        super().__init__(scope, construct_id, default_interval=_WEEK)
        experiments = by_experiment()
        self.add_widgets(
            cloudwatch.CustomWidget(
                title="Results",
                function_arn=results.live.function_arn,
                params={"experiments": list(experiments)},
                update_on_refresh=True,
                update_on_resize=False,
                update_on_time_range_change=False,
                width=24,
                height=16,
            )
        )
        for name, variants in experiments.items():
            self.add_widgets(heading(f"### {name}"))
            self.add_widgets(_click_rate(name, variants), _lift(name, variants), _split(name))
            self.add_widgets(
                _per_thousand("Conversions", Metric.CONVERSIONS, variants, name),
                _per_thousand("Revenue", Metric.REVENUE, variants, name),
                _shown(name, variants),
            )
        self.add_widgets(heading("### Models"))
        self.add_widgets(_model_age(), _quality(), _nights())


def wilson(clicked: str, shown: str) -> Mapping[str, str]:
    """Return metric math for a share in percent and the ends of its 95% interval (Wilson, JASA 1927).

    (c + z²/2 ± z √(c (n - c) / n + z²/4)) / (n + z²). Items are taken for independent; those
    of a user are not, so it is too narrow: verdicts are `analyze_experiments`', where users are the unit.
    """
    n, c = f"FILL({shown}, 0)", f"FILL({clicked}, 0)"
    middle, spread = f"({c} + {_Z**2 / 2:.4f})", f"{_Z} * SQRT({c} * ({n} - {c}) / {n} + {_Z**2 / 4:.4f})"
    return {
        "": f"100 * {c} / {n}",
        "low": f"100 * ({middle} - {spread}) / ({n} + {_Z**2:.4f})",
        "high": f"100 * ({middle} + {spread}) / ({n} + {_Z**2:.4f})",
    }


def _click_rate(name: str, variants: Sequence[VariantSeries]) -> cloudwatch.GraphWidget:
    lines = []
    for number, series in enumerate(variants):
        shown, clicked = f"shown{number}", f"clicked{number}"
        using: dict[str, cloudwatch.IMetric] = {
            shown: series.metric(Metric.IMPRESSIONS, HOUR),
            clicked: series.metric(Metric.CLICKS, HOUR),
        }
        figure, ends = _COLOURS[number % len(_COLOURS)]
        for part, expression in wilson(clicked, shown).items():
            label, colour = (f"{series.variant}, {part}", ends) if part else (series.variant, figure)
            lines.append(math(expression, using, label, period=HOUR, color=colour))
    return graph(f"{name}: click-through rate, 95% interval", *lines, unit="% of items shown")


def _lift(name: str, variants: Sequence[VariantSeries]) -> cloudwatch.GraphWidget:
    lines = []
    for number, series in enumerate(variants[1:], start=1):
        figure, ends = _COLOURS[number % len(_COLOURS)]
        for metric, part in (
            (Metric.EXPERIMENT_LIFT, ""),
            (Metric.EXPERIMENT_LIFT_LOW, ", low"),
            (Metric.EXPERIMENT_LIFT_HIGH, ", high"),
        ):
            found = analyzed(metric, "Average", experiment=name, variant=series.variant, period=HOUR)
            lines.append(found.with_(label=f"{series.variant}{part}", color=ends if part else figure))
    return graph(
        f"{name}: lift of the goal, always-valid 95% interval",
        *lines,
        unit="% of the control",
        least=None,
        lines={"no difference": 0},
    )


def _split(name: str) -> cloudwatch.GraphWidget:
    chance = analyzed(Metric.SAMPLE_RATIO_P_VALUE, "Minimum", experiment=name, period=HOUR)
    return graph(
        f"{name}: are users split as configured",
        chance.with_(label="p-value"),
        unit="p-value, sequential",
        lines={"broken below": BROKEN_SPLIT},
    )


def _per_thousand(
    title: str, metric: Metric, variants: Sequence[VariantSeries], name: str
) -> cloudwatch.GraphWidget:
    lines = []
    for number, series in enumerate(variants):
        shown, brought = f"shown{number}", f"{metric.name.lower()}{number}"
        using: dict[str, cloudwatch.IMetric] = {
            shown: series.metric(Metric.IMPRESSIONS, HOUR),
            brought: series.metric(metric, HOUR),
        }
        colour = _COLOURS[number % len(_COLOURS)][0]
        expression = f"1000 * FILL({brought}, 0) / {shown}"
        lines.append(math(expression, using, series.variant, period=HOUR, color=colour))
    return graph(f"{name}: {title.lower()}", *lines, unit=f"{title.lower()} per 1,000 items shown")


def _shown(name: str, variants: Sequence[VariantSeries]) -> cloudwatch.GraphWidget:
    lines = [
        series.metric(Metric.IMPRESSIONS, HOUR).with_(
            label=series.variant, color=_COLOURS[number % len(_COLOURS)][0]
        )
        for number, series in enumerate(variants)
    ]
    return graph(f"{name}: items shown", *lines, unit="in an hour")


def _model_age() -> cloudwatch.GraphWidget:
    age = measured(Metric.MODEL_AGE, "Maximum", service="refresh_recommendations", period=HOUR)
    hours = math("age / 3600", {"age": age}, "in service for", period=HOUR)
    return graph("Age of the model in service", hours, unit="hours", lines={"two days": 48})


def _quality() -> cloudwatch.GraphWidget:
    service = "run_training_step"
    ndcg = measured(Metric.MODEL_NDCG, "Maximum", service=service, period=DAY)
    coverage = measured(Metric.CATALOG_COVERAGE, "Maximum", service=service, period=DAY)
    return cloudwatch.GraphWidget(
        title="Quality on held-out data, and coverage of the catalogue",
        left=[ndcg.with_(label="NDCG@10")],
        right=[coverage.with_(label="share of the catalogue in anyone's list")],
        left_y_axis=cloudwatch.YAxisProps(label="NDCG@10", min=0, show_units=False),
        right_y_axis=cloudwatch.YAxisProps(label="coverage", min=0, max=1, show_units=False),
        width=8,
        height=6,
    )


def _nights() -> cloudwatch.GraphWidget:
    happened = [
        counted(metric, service="run_training_step", period=DAY).with_(label=label)
        for metric, label in (
            (Metric.NIGHTS_STOPPED, "stopped by its data (volume, schema, drift)"),
            (Metric.MODELS_REFUSED, "refused by the gate"),
        )
    ]
    return graph("Nights without a publish", *happened, unit="nights")
