"""Alarms on experiments: clicks that fall, users not split as configured, definitions that can't be read."""

from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch

from infrastructure.constructs.alarms import ABOVE, BELOW, FIVE_MINUTES, HOUR, Alarms, Rule, summed
from infrastructure.constructs.metrics import VariantSeries, analyzed, counted, on_surface
from infrastructure.fields import ClickRateAlarm
from personalization.names import Metric, Surface

BROKEN_SPLIT: Final = 0.001
"""Sequential p-value below which a split is no chance (Fabijan et al., KDD 2019, use the same level)."""
_PAGE: Final = "click-rate"
_READERS: Final = {"answering": "get_recommendations", "refreshing": "refresh_recommendations"}


def variant_click_rate(alarms: Alarms, series: VariantSeries, limits: ClickRateAlarm) -> cloudwatch.Alarm:
    """Watch the hourly click-through rate of one variant, once enough was shown."""
    feel = (
        f"Users find nothing they like in {series.variant} of {series.experiment}: its click-through rate is "
        f"below {limits.floor_percent}%."
    )
    rule = Rule(comparison=BELOW, threshold=limits.floor_percent)
    name = f"ClickRate{_title(series.experiment)}{_title(series.variant)}"
    rate = click_rate(series.metric(Metric.IMPRESSIONS, HOUR), series.metric(Metric.CLICKS, HOUR), limits)
    return alarms.watch(name, rate, rule, feel, _PAGE, notify=False)


def surface_click_rate(alarms: Alarms, surface: Surface, limits: ClickRateAlarm) -> cloudwatch.Alarm:
    """Watch the hourly click-through rate of a surface, in experiments or not, once enough was shown."""
    feel = (
        f"Users find nothing they like on surface {surface}: its click-through rate is below "
        f"{limits.floor_percent}%."
    )
    rule = Rule(comparison=BELOW, threshold=limits.floor_percent)
    name = f"SurfaceClickRate{_title(surface)}"
    return alarms.watch(name, _rate_on(surface, limits), rule, feel, _PAGE, notify=False)


def surface_click_rate_unusual(
    alarms: Alarms, surface: Surface, limits: ClickRateAlarm
) -> cloudwatch.AnomalyDetectionAlarm:
    """Watch a surface's click-through rate fall out of the band learned from earlier weeks."""
    feel = f"Users click less on surface {surface} than is usual at this hour."
    rate = _rate_on(surface, limits)
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


def experiments_unread(alarms: Alarms) -> cloudwatch.Alarm:
    """Watch for readers of the experiments' definitions that get none."""
    using: dict[str, cloudwatch.IMetric] = {
        id_: counted(Metric.EXPERIMENTS_UNREAD, service=reader, period=FIVE_MINUTES)
        for id_, reader in _READERS.items()
    }
    return alarms.watch(
        "ExperimentsUnread",
        summed(using, "unread", FIVE_MINUTES),
        Rule(comparison=ABOVE, threshold=2),
        "Some users see the defaults and count for no experiment: its definitions can't be read.",
        "experiments-unread",
    )


def click_rate(
    shown: cloudwatch.IMetric, clicked: cloudwatch.IMetric, limits: ClickRateAlarm
) -> cloudwatch.MathExpression:
    """Return clicks per item shown in an hour, in percent; no figure where too little was shown."""
    return cloudwatch.MathExpression(
        expression=f"IF(shown >= {limits.minimum_impressions}, 100 * FILL(clicked, 0) / shown)",
        using_metrics={"shown": shown, "clicked": clicked},
        period=HOUR,
        label="CTR, %",
    )


def _rate_on(surface: Surface, limits: ClickRateAlarm) -> cloudwatch.MathExpression:
    shown, clicked = (on_surface(metric, surface, HOUR) for metric in (Metric.IMPRESSIONS, Metric.CLICKS))
    return click_rate(shown, clicked, limits)


def _title(name: str) -> str:
    return "".join(word.title() for word in name.split("-"))
