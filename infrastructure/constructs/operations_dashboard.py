"""The dashboard: is it up, is it fast, is it good, do the books balance."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.constructs.metrics import counted, defined_variants, event_lag, served
from infrastructure.constructs.web_api import WebApi
from personalization.names import Metric, Source

_PERIOD: Final = Duration.minutes(5)
_HOUR: Final = Duration.hours(1)
_WIDTH: Final = 8
_HEIGHT: Final = 6
_OWN_LISTS: Final = (Source.LIST, Source.STALE_LIST)


class OperationsDashboard(cloudwatch.Dashboard):
    """Three rows of graphs; click-through by variant in hours, everything else in five minutes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        api: WebApi,
        consumers: Sequence[lambda_.IFunction],
        dead_letters: Sequence[sqs.IQueue],
    ) -> None:
        super().__init__(scope, construct_id, default_interval=Duration.days(1))
        self.add_widgets(_traffic(api), _latency(api), _fallback_share())
        self.add_widgets(_click_rate(), _books(), _event_lag())
        self.add_widgets(_iterator_age(consumers), _dead_letters(dead_letters), _training())


def _graph(title: str, *metrics: cloudwatch.IMetric, unit: str) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=0, show_units=False),
        width=_WIDTH,
        height=_HEIGHT,
    )


def _traffic(api: WebApi) -> cloudwatch.GraphWidget:
    http = api.api
    total = cloudwatch.Stats.SUM
    return _graph(
        "Traffic",
        http.metric_count(label="requests", period=_PERIOD, statistic=total),
        http.metric_client_error(label="4xx", period=_PERIOD, statistic=total),
        http.metric_server_error(label="5xx", period=_PERIOD, statistic=total),
        unit="requests in 5 minutes",
    )


def _latency(api: WebApi) -> cloudwatch.GraphWidget:
    quantiles = [
        api.api.metric_latency(period=_PERIOD, statistic=quantile, label=quantile)
        for quantile in ("p50", "p95", "p99")
    ]
    return _graph("Latency", *quantiles, unit="ms")


def _fallback_share() -> cloudwatch.GraphWidget:
    using: dict[str, cloudwatch.IMetric] = {source.value: served(source, period=_PERIOD) for source in Source}
    total = " + ".join(f"FILL({name}, 0)" for name in using)
    fallback = " + ".join(f"FILL({source}, 0)" for source in Source if source not in _OWN_LISTS)
    share = _math(f"100 * ({fallback}) / ({total})", using, "not the user's own list")
    stale = _math(f"100 * FILL({Source.STALE_LIST}, 0) / ({total})", using, "own list, a refresh behind")
    return _graph("Fallback share", share, stale, unit="% of answers")


def _click_rate() -> cloudwatch.GraphWidget:
    rates = []
    for index, series in enumerate(defined_variants()):
        shown, clicked = f"shown{index}", f"clicked{index}"
        using: dict[str, cloudwatch.IMetric] = {
            shown: series.metric(Metric.IMPRESSIONS, _HOUR),
            clicked: series.metric(Metric.CLICKS, _HOUR),
        }
        label = f"{series.experiment}: {series.variant}"
        rates.append(_math(f"100 * FILL({clicked}, 0) / {shown}", using, label, period=_HOUR))
    return _graph("Click-through rate by variant", *rates, unit="% of items shown")


def _books() -> cloudwatch.GraphWidget:
    def sent(metric: Metric, label: str) -> cloudwatch.MathExpression:
        using: dict[str, cloudwatch.IMetric] = {
            f"{metric.name.lower()}_{service}": counted(metric, service=service, period=_PERIOD)
            for service in ("ingest_events", "put_items")
        }
        return _math(" + ".join(f"FILL({name}, 0)" for name in using), using, label)

    outcomes = [
        counted(metric, service="update_profiles", period=_PERIOD)
        for metric in (
            Metric.EVENTS_APPLIED,
            Metric.EVENTS_DUPLICATE,
            Metric.EVENTS_FILTERED,
            Metric.EVENTS_QUARANTINED,
        )
    ]
    return _graph(
        "Books: accepted = applied + duplicate + filtered + quarantined",
        sent(Metric.EVENTS_ACCEPTED, "accepted"),
        sent(Metric.EVENTS_REJECTED, "rejected"),
        *outcomes,
        unit="events in 5 minutes",
    )


def _event_lag() -> cloudwatch.GraphWidget:
    quantiles = [event_lag(quantile, period=_PERIOD) for quantile in ("p50", "p95", "p99")]
    return _graph("From acceptance to the profile", *quantiles, unit="ms")


def _iterator_age(consumers: Sequence[lambda_.IFunction]) -> cloudwatch.GraphWidget:
    ages = [
        consumer.metric(
            "IteratorAge",
            statistic=cloudwatch.Stats.MAXIMUM,
            period=_PERIOD,
            label=consumer.node.id,
        )
        for consumer in consumers
    ]
    return _graph("Age of the oldest unread record", *ages, unit="ms")


def _dead_letters(queues: Sequence[sqs.IQueue]) -> cloudwatch.GraphWidget:
    depths = [
        queue.metric_approximate_number_of_messages_visible(
            period=_PERIOD, statistic=cloudwatch.Stats.MAXIMUM, label=queue.node.path.partition("/")[2]
        )
        for queue in queues
    ]
    return _graph("Failed for good", *depths, unit="messages")


def _training() -> cloudwatch.GraphWidget:
    day = Duration.days(1)
    ndcg = counted(Metric.MODEL_NDCG, service="run_training_step", period=day)
    return _graph("NDCG@10 on held-out data", ndcg.with_(statistic="Maximum"), unit="NDCG@10")


def _math(
    expression: str,
    using: dict[str, cloudwatch.IMetric],
    label: str,
    *,
    period: Duration = _PERIOD,
) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(expression=expression, using_metrics=using, label=label, period=period)
