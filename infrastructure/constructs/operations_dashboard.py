"""The dashboard of operations: is it up, is it fast, is it fresh, do the books balance, what does it cost."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.cost_graphs import Usage, billed, estimated_cost
from infrastructure.constructs.graphs import DAY, PERIOD, graph, math
from infrastructure.constructs.metrics import counted, measured, own_namespace, served
from infrastructure.constructs.serving_alarms import ACCESS_LOG, THROTTLED, fallback_expression
from infrastructure.constructs.web_api import WebApi
from personalization.names import Metric, Source

_SUM: Final = cloudwatch.Stats.SUM
_QUANTILES: Final = ("p50", "p95", "p99")


class OperationsDashboard(cloudwatch.Dashboard):
    """The alarms, then graphs by what users feel first: requests, freshness, the books, cost."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarms: Sequence[cloudwatch.IAlarm],
        api: WebApi,
        consumers: Sequence[lambda_.IFunction],
        dead_letters: Sequence[sqs.IQueue],
        usage: Usage,
    ) -> None:
        super().__init__(scope, construct_id, default_interval=DAY)
        self.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=4)
        )
        self.add_widgets(_traffic(api), _latency(api), _sources())
        self.add_widgets(_event_lag(), _refresh_lag(), _iterator_age(consumers))
        self.add_widgets(_books(), _refused(usage), _dead_letters(dead_letters))
        costs = [estimated_cost(usage)]
        if usage.environment.capabilities.budgets:
            costs.append(billed())
        self.add_widgets(*costs)


def _traffic(api: WebApi) -> cloudwatch.GraphWidget:
    http = api.api
    return graph(
        "Traffic",
        http.metric_count(label="requests", period=PERIOD, statistic=_SUM),
        http.metric_client_error(label="4xx", period=PERIOD, statistic=_SUM),
        http.metric_server_error(label="5xx", period=PERIOD, statistic=_SUM),
        unit="requests in 5 minutes",
    )


def _latency(api: WebApi) -> cloudwatch.GraphWidget:
    quantiles = [
        api.api.metric_latency(period=PERIOD, statistic=quantile, label=quantile) for quantile in _QUANTILES
    ]
    return graph("Latency", *quantiles, unit="ms")


def _sources() -> cloudwatch.GraphWidget:
    """A list that lies ready, as new as the profile, is the cache's hit."""
    using: dict[str, cloudwatch.IMetric] = {source.value: served(source, period=PERIOD) for source in Source}
    total = " + ".join(f"FILL({name}, 0)" for name in using)
    hits = math(f"100 * FILL({Source.LIST}, 0) / ({total})", using, "own list, up to date (hit)")
    stale = math(f"100 * FILL({Source.STALE_LIST}, 0) / ({total})", using, "own list, a refresh behind")
    empty = math(f"100 * FILL({Source.NONE}, 0) / ({total})", using, "nothing")
    return graph("Cache hits and fallbacks", hits, stale, fallback_expression(), empty, unit="% of answers")


def _event_lag() -> cloudwatch.GraphWidget:
    lags = [measured(Metric.EVENT_LAG, at, service="update_profiles", period=PERIOD) for at in _QUANTILES]
    return graph("Freshness: from acceptance to the profile", *lags, unit="ms")


def _refresh_lag() -> cloudwatch.GraphWidget:
    service = "refresh_recommendations"
    lags = [measured(Metric.REFRESH_LAG, at, service=service, period=PERIOD) for at in _QUANTILES]
    return graph("Freshness: from the profile to the list", *lags, unit="ms")


def _iterator_age(consumers: Sequence[lambda_.IFunction]) -> cloudwatch.GraphWidget:
    ages = [
        consumer.metric(
            "IteratorAge", statistic=cloudwatch.Stats.MAXIMUM, period=PERIOD, label=consumer.node.id
        )
        for consumer in consumers
    ]
    return graph("Age of the oldest unread record", *ages, unit="ms")


def _books() -> cloudwatch.GraphWidget:
    def added(metric: Metric, label: str, *services: str) -> cloudwatch.MathExpression:
        using: dict[str, cloudwatch.IMetric] = {
            f"{metric.name.lower()}_{service}": counted(metric, service=service, period=PERIOD)
            for service in services
        }
        return math(" + ".join(f"FILL({name}, 0)" for name in using), using, label)

    outcomes = [
        counted(metric, service="update_profiles", period=PERIOD)
        for metric in (
            Metric.EVENTS_APPLIED,
            Metric.EVENTS_DUPLICATE,
            Metric.EVENTS_QUARANTINED,
        )
    ]
    return graph(
        "Books: accepted = applied + duplicate + filtered + quarantined",
        added(Metric.EVENTS_ACCEPTED, "accepted", "ingest_events", "put_items", "put_consent"),
        added(Metric.EVENTS_REJECTED, "rejected", "ingest_events", "put_items"),
        *outcomes,
        added(Metric.EVENTS_FILTERED, "filtered", "ingest_events", "update_profiles"),
        unit="events in 5 minutes",
    )


def _refused(usage: Usage) -> cloudwatch.GraphWidget:
    """What is refused for want of room, at each of the four places where it can be."""
    stream = usage.stream.metric_write_provisioned_throughput_exceeded(period=PERIOD, statistic=_SUM)
    table = [
        usage.table.metric(f"{kind}ThrottleEvents", period=PERIOD, statistic=_SUM, label=f"table, {kind}s")
        for kind in ("Read", "Write")
    ]
    throttles: dict[str, cloudwatch.IMetric] = {
        f"throttled{number}": function.metric_throttles(period=PERIOD, statistic=_SUM)
        for number, function in enumerate(usage.functions)
    }
    functions = " + ".join(f"FILL({name}, 0)" for name in throttles)
    api = cloudwatch.Metric(
        namespace=own_namespace(ACCESS_LOG),
        metric_name=THROTTLED,
        statistic=_SUM,
        period=PERIOD,
        label="API, 429",
    )
    return graph(
        "Refused for want of room",
        api,
        math(functions, throttles, "functions"),
        stream.with_(label="stream, writes"),
        *table,
        unit="in 5 minutes",
    )


def _dead_letters(queues: Sequence[sqs.IQueue]) -> cloudwatch.GraphWidget:
    depths = [
        queue.metric_approximate_number_of_messages_visible(
            period=PERIOD, statistic=cloudwatch.Stats.MAXIMUM, label=queue.node.path.partition("/")[2]
        )
        for queue in queues
    ]
    return graph("Failed for good", *depths, unit="messages")
