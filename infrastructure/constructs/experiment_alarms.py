"""Alarms on experiments: clicks that fall, and users that are not split as configured."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch

from infrastructure.constructs.alarms import BELOW, HOUR, Alarms, Rule
from infrastructure.constructs.metrics import VariantSeries, analyzed
from infrastructure.fields import ClickRateAlarm
from personalization.names import Metric

BROKEN_SPLIT: Final = 0.001
"""Sequential p-value below which a split is no chance (Fabijan et al., KDD 2019, use the same level)."""
_PAGE: Final = "click-rate"
_VARIANTS: Final = 5
"""CloudWatch takes ten metrics an alarm, and a rate needs two a variant."""


def variant_click_rate(alarms: Alarms, series: VariantSeries, limits: ClickRateAlarm) -> cloudwatch.Alarm:
    """Watch the hourly click-through rate of one variant, once enough was shown."""
    feel = (
        f"Users find nothing they like in {series.variant} of {series.experiment}: its click-through rate is "
        f"below {limits.floor_percent}%."
    )
    rule = Rule(comparison=BELOW, threshold=limits.floor_percent)
    name = f"ClickRate{_title(series.experiment)}{_title(series.variant)}"
    return alarms.watch(name, click_rate([series], limits), rule, feel, _PAGE, notify=False)


def surface_click_rate(
    alarms: Alarms, surface: str, variants: Sequence[VariantSeries], limits: ClickRateAlarm
) -> cloudwatch.Alarm:
    """Watch the hourly click-through rate of a surface, all variants of its experiments together."""
    feel = (
        f"Users find nothing they like on surface {surface}: its click-through rate is below "
        f"{limits.floor_percent}%."
    )
    rule = Rule(comparison=BELOW, threshold=limits.floor_percent)
    name = f"SurfaceClickRate{_title(surface)}"
    return alarms.watch(name, click_rate(variants, limits), rule, feel, _PAGE, notify=False)


def surface_click_rate_unusual(
    alarms: Alarms, surface: str, variants: Sequence[VariantSeries], limits: ClickRateAlarm
) -> cloudwatch.AnomalyDetectionAlarm:
    """Watch a surface's click-through rate fall out of the band learned from earlier weeks."""
    feel = f"Users click less on surface {surface} than is usual at this hour."
    rate = click_rate(variants, limits)
    name = f"SurfaceClickRateUnusual{_title(surface)}"
    return alarms.watch_band(name, rate, feel, _PAGE, deviations=3, below_only=True)


def sample_ratio(alarms: Alarms, experiment: str) -> cloudwatch.Alarm:
    """Watch whether an experiment's users are split as configured; between two analyses the state stays."""
    chance = analyzed(Metric.SAMPLE_RATIO_P_VALUE, "Minimum", experiment=experiment, period=HOUR)
    missing = cloudwatch.TreatMissingData.IGNORE
    return alarms.watch(
        f"SampleRatio{_title(experiment)}",
        chance,
        Rule(comparison=BELOW, threshold=BROKEN_SPLIT, missing=missing),
        f"Users feel nothing, but no figure of experiment {experiment} can be trusted: they are not split "
        "as configured.",
        "sample-ratio",
    )


def click_rate(variants: Sequence[VariantSeries], limits: ClickRateAlarm) -> cloudwatch.MathExpression:
    """Return clicks per item shown in an hour, in percent; no figure where too little was shown.

    Of the first five variants. With several experiments on a surface an item counts for each, in both sums.
    """
    variants = variants[:_VARIANTS]
    using: dict[str, cloudwatch.IMetric] = {}
    for number, series in enumerate(variants):
        using[f"shown{number}"] = series.metric(Metric.IMPRESSIONS, HOUR)
        using[f"clicked{number}"] = series.metric(Metric.CLICKS, HOUR)
    shown, clicked = (
        " + ".join(f"FILL({name}{number}, 0)" for number in range(len(variants)))
        for name in ("shown", "clicked")
    )
    return cloudwatch.MathExpression(
        expression=f"IF({shown} >= {limits.minimum_impressions}, 100 * ({clicked}) / ({shown}))",
        using_metrics=using,
        period=HOUR,
        label="CTR, %",
    )


def _title(name: str) -> str:
    return "".join(word.title() for word in name.split("-"))
