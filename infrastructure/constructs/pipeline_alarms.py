"""Alarms on the way from an event to a fresh list: falling behind, failing, running out of room."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from infrastructure.constructs.alarms import ABOVE, FIVE_MINUTES, MAXIMUM, MINUTE, SUM, Alarms, Rule, summed
from infrastructure.constructs.metrics import counted
from personalization.names import Metric

_ANY: Rule = Rule(comparison=ABOVE, threshold=0)
_THREE_OF_FIVE: Rule = Rule(comparison=ABOVE, threshold=0, periods=5, breaching=3)


def stream_behind(
    alarms: Alarms, function: lambda_.IFunction, limit: Duration, feel: str, *, notify: bool
) -> cloudwatch.Alarm:
    """Watch the age of the oldest record that a consumer of the stream hasn't read."""
    age = function.metric("IteratorAge", statistic=MAXIMUM, period=MINUTE)
    rule = Rule(comparison=ABOVE, threshold=limit.to_milliseconds(), periods=5, breaching=3)
    behind = f"{feel}: {function.node.id} is {limit.to_human_string()} behind."
    return alarms.watch(f"{function.node.id}Behind", age, rule, behind, "stream-behind", notify=notify)


def stream_full(alarms: Alarms, stream: kinesis.IStream) -> cloudwatch.Alarm:
    """Watch for writes that the stream refuses for want of shards."""
    refused = stream.metric_write_provisioned_throughput_exceeded(period=MINUTE, statistic=SUM)
    feel = "What users do is not taken in: the stream refuses writes, and clients must send again."
    return alarms.watch("StreamFull", refused, _THREE_OF_FIVE, feel, "stream-full", notify=False)


def table_throttled(alarms: Alarms, table: dynamodb.ITable) -> cloudwatch.Alarm:
    """Watch for reads and writes that the table refuses."""
    using: dict[str, cloudwatch.IMetric] = {
        kind.lower(): table.metric(f"{kind}ThrottleEvents", period=MINUTE, statistic=SUM)
        for kind in ("Read", "Write")
    }
    refused = summed(using, "throttled reads and writes")
    feel = "Users get errors or older lists: the table refuses reads or writes."
    return alarms.watch("TableThrottled", refused, _THREE_OF_FIVE, feel, "table-throttled", notify=False)


def functions_failing(alarms: Alarms, workers: Sequence[lambda_.IFunction]) -> cloudwatch.Alarm:
    """Watch for failures of functions behind the stream and the queue, which no client sees."""
    failures = summed(_of_each(workers, "Errors"), "errors")
    feel = "Lists lag behind what users do: a function behind the stream or the queue keeps failing."
    return alarms.watch("FunctionsFailing", failures, _THREE_OF_FIVE, feel, "functions-failing")


def functions_throttled(alarms: Alarms, functions: Sequence[lambda_.IFunction]) -> cloudwatch.Alarm:
    """Watch for invocations that Lambda refuses: the account runs as many at once as it may."""
    refused = summed(_of_each(functions, "Throttles"), "throttled invocations")
    feel = "Users get errors and lists lag: the account runs as many functions at once as it may."
    return alarms.watch("FunctionsThrottled", refused, _THREE_OF_FIVE, feel, "functions-throttled")


def events_quarantined(alarms: Alarms) -> cloudwatch.Alarm:
    """Watch for records that can't be processed."""
    set_aside = counted(Metric.EVENTS_QUARANTINED, service="update_profiles", period=FIVE_MINUTES)
    feel = "Some of what users did does not count: events could not be processed, and are set aside."
    return alarms.watch("EventsQuarantined", set_aside, _ANY, feel, "events-quarantined")


def dead_letters(alarms: Alarms, name: str, queue: sqs.IQueue, feel: str, page: str) -> cloudwatch.Alarm:
    """Watch a queue that should be empty."""
    depth = queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic=MAXIMUM)
    return alarms.watch(name, depth, _ANY, feel, page)


def unusual_traffic(alarms: Alarms) -> cloudwatch.AnomalyDetectionAlarm:
    """Watch accepted events leave the band that CloudWatch learns from earlier weeks."""
    accepted = counted(Metric.EVENTS_ACCEPTED, service="ingest_events", period=FIVE_MINUTES)
    feel = "Recommendations learn from the wrong: far more or fewer events come than usual at this hour."
    return alarms.watch_band(
        "UnusualTraffic", accepted, feel, "unusual-traffic", deviations=4, below_only=False
    )


def _of_each(functions: Sequence[lambda_.IFunction], metric: str) -> dict[str, cloudwatch.IMetric]:
    return {_id(function): function.metric(metric, period=MINUTE, statistic=SUM) for function in functions}


def _id(function: lambda_.IFunction) -> str:
    name = function.node.id
    return name[0].lower() + name[1:]
