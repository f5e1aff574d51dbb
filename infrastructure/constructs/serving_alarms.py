"""Alarms on what a client of the API meets: errors, waiting, refusals, answers that are not their own."""

from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs

from infrastructure.constructs.alarms import ABOVE, FIVE_MINUTES, MINUTE, SUM, Alarms, Rule
from infrastructure.constructs.metrics import counted, own_namespace, served
from infrastructure.constructs.web_api import WebApi
from infrastructure.fields import AlarmLimits
from personalization.names import Metric, Source

_OWN_LISTS: Final = (Source.LIST, Source.STALE_LIST)
ACCESS_LOG: Final = "/AccessLog"
"""Part of the namespace for what is counted in the API's log, by no function and under no dimension."""
THROTTLED: Final = "RequestsThrottled"
FALLBACKS: Final = tuple(source for source in Source if source not in _OWN_LISTS)
"""Sources of answers that are not the user's own list."""


def server_errors(alarms: Alarms, api: WebApi) -> cloudwatch.Alarm:
    """Watch the share of requests answered 5xx; a handful of requests is no share."""
    share = cloudwatch.MathExpression(
        expression="IF(requests >= 20, 100 * FILL(errors, 0) / requests)",
        using_metrics={
            "errors": api.api.metric_server_error(period=MINUTE, statistic=SUM),
            "requests": api.api.metric_count(period=MINUTE, statistic=SUM),
        },
        period=MINUTE,
        label="5xx, %",
    )
    return alarms.watch(
        "ServerErrors",
        share,
        Rule(comparison=ABOVE, threshold=1, periods=5, breaching=3),
        "Users get errors: more than 1% of requests fail.",
        "server-errors",
        notify=False,
    )


def slow_answers(alarms: Alarms, api: WebApi, limits: AlarmLimits) -> cloudwatch.Alarm:
    """Watch the 99th percentile of latency; of few requests it is a cold start, and says nothing."""
    slowest = cloudwatch.MathExpression(
        expression="IF(requests >= 300, slowest)",
        using_metrics={
            "slowest": api.api.metric_latency(period=FIVE_MINUTES, statistic="p99"),
            "requests": api.api.metric_count(period=FIVE_MINUTES, statistic=SUM),
        },
        period=FIVE_MINUTES,
        label="p99, ms",
    )
    return alarms.watch(
        "SlowAnswers",
        slowest,
        Rule(comparison=ABOVE, threshold=limits.p99_milliseconds, periods=3, breaching=3),
        f"Users wait: one request in a hundred takes more than {limits.p99_milliseconds:,} ms.",
        "slow-answers",
        notify=False,
    )


def requests_throttled(alarms: Alarms, api: WebApi) -> cloudwatch.Alarm:
    """Watch the share of requests answered 429; the API has no metric of them, but logs each."""
    refused = logs.MetricFilter(
        alarms,
        "ThrottledRequests",
        log_group=api.access_logs,
        filter_pattern=logs.FilterPattern.string_value("$.status", "=", "429"),
        metric_namespace=own_namespace(ACCESS_LOG),
        metric_name=THROTTLED,
        metric_value="1",
    )
    share = cloudwatch.MathExpression(
        expression="IF(requests >= 20, 100 * FILL(throttled, 0) / requests)",
        using_metrics={
            "throttled": refused.metric(period=MINUTE, statistic=SUM),
            "requests": api.api.metric_count(period=MINUTE, statistic=SUM),
        },
        period=MINUTE,
        label="429, %",
    )
    return alarms.watch(
        "RequestsThrottled",
        share,
        Rule(comparison=ABOVE, threshold=1, periods=5, breaching=3),
        "Users are turned away: more than 1% of requests pass the limits of the API.",
        "requests-throttled",
        notify=False,
    )


def fallback_share(alarms: Alarms, limits: AlarmLimits) -> cloudwatch.Alarm:
    """Watch the share of answers that are not the user's own list; of few answers it is chance."""
    share = fallback_expression(minimum=300)
    return alarms.watch(
        "FallbackShare",
        share,
        Rule(comparison=ABOVE, threshold=limits.fallback_percent, periods=3, breaching=3),
        f"More than {limits.fallback_percent}% of answers show what is popular, not what the user likes.",
        "fallback-share",
    )


def answers_degraded(alarms: Alarms, api: WebApi) -> cloudwatch.Alarm:
    """Watch the share of answers that had to do without the table or the keys: nobody gets an error of it."""
    functions = ("get_recommendations", "get_trending")
    degraded = {
        f"of_{name}": counted(Metric.ANSWERS_DEGRADED, service=name, period=MINUTE) for name in functions
    }
    using: dict[str, cloudwatch.IMetric] = {**degraded}
    using["requests"] = api.api.metric_count(period=MINUTE, statistic=SUM)
    total = " + ".join(f"FILL({name}, 0)" for name in degraded)
    share = cloudwatch.MathExpression(
        expression=f"IF(requests >= 20, 100 * ({total}) / requests)",
        using_metrics=using,
        period=MINUTE,
        label="degraded, %",
    )
    return alarms.watch(
        "AnswersDegraded",
        share,
        Rule(comparison=ABOVE, threshold=1, periods=5, breaching=3),
        "Users see what is popular instead of their own: more than 1% of answers could not be read in time.",
        "answers-degraded",
        notify=False,
    )


def fallback_expression(minimum: int = 1) -> cloudwatch.MathExpression:
    """Return the share of answers that are not the user's own list, in percent, of at least so many."""
    using: dict[str, cloudwatch.IMetric] = {
        source.value: served(source, period=FIVE_MINUTES) for source in Source
    }
    total = " + ".join(f"FILL({name}, 0)" for name in using)
    fallbacks = " + ".join(f"FILL({source}, 0)" for source in FALLBACKS)
    return cloudwatch.MathExpression(
        expression=f"IF({total} >= {minimum}, 100 * ({fallbacks}) / ({total}))",
        using_metrics=using,
        period=FIVE_MINUTES,
        label="not the user's own list, %",
    )
