"""What the platform costs, estimated from what it uses: hours before AWS bills it.

List prices of us-east-1 on demand, without free tiers (https://aws.amazon.com/pricing/): an estimate, to see
what grows, not a bill. Storage, data out, SageMaker and the fixed fees of alarms and metrics are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_

from infrastructure.constructs.graphs import DAY, HOUR, graph, math, total
from infrastructure.fields import Architecture, Environment

API_REQUEST: Final = 1.00e-6
INVOCATION: Final = 0.20e-6
GB_SECOND: Final = {Architecture.ARM64: 1.33334e-5, Architecture.X86_64: 1.66667e-5}
READ_UNIT: Final = 0.125e-6
WRITE_UNIT: Final = 0.625e-6
SHARD_HOUR: Final = 0.015
PUT_UNIT: Final = 0.014e-6
"""A record up to 25 KB, as an event is."""
ON_DEMAND_HOUR: Final = 0.04
ON_DEMAND_GB: Final = 0.08
LOG_GB: Final = 0.50
_GB: Final = 1_000_000_000
_SUM: Final = cloudwatch.Stats.SUM


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What is paid by use."""

    api: http.HttpApi
    functions: Sequence[lambda_.Function]
    table: dynamodb.ITable
    stream: kinesis.IStream
    environment: Environment


def estimated_cost(usage: Usage) -> cloudwatch.GraphWidget:
    """Return a graph of dollars an hour, by service."""
    return graph(
        "Estimated cost by use",
        _api(usage),
        *_lambda(usage),
        _table(usage),
        _stream(usage),
        _logs(usage),
        unit="$ an hour",
        width=16,
    )


def billed() -> cloudwatch.GraphWidget:
    """Return a graph of the account's bill; its metric is in us-east-1 alone, once billing alerts are on."""
    charges = cloudwatch.Metric(
        namespace="AWS/Billing",
        metric_name="EstimatedCharges",
        dimensions_map={"Currency": "USD"},
        statistic=cloudwatch.Stats.MAXIMUM,
        period=DAY,
        region="us-east-1",
        label="this month so far",
    )
    return graph("Bill of the account", charges, unit="$")


def _api(usage: Usage) -> cloudwatch.MathExpression:
    requests = usage.api.metric_count(period=HOUR, statistic=_SUM)
    return math(f"{_figure(API_REQUEST)} * requests", {"requests": requests}, "API", period=HOUR)


def _lambda(usage: Usage) -> list[cloudwatch.MathExpression]:
    """One line for time and one for calls; memory differs, so every function's time has its own price."""
    second = GB_SECOND[usage.environment.architecture]
    terms: list[str] = []
    using: dict[str, cloudwatch.IMetric] = {}
    for number, function in enumerate(usage.functions):
        price = second * _memory_mb(function) / 1_024 / 1_000
        terms.append(f"{_figure(price)} * FILL(ms{number}, 0)")
        using[f"ms{number}"] = function.metric_duration(period=HOUR, statistic=_SUM)
    invocations = [function.metric_invocations(period=HOUR, statistic=_SUM) for function in usage.functions]
    expression, called = total(invocations, "calls", _figure(INVOCATION))
    return [
        math(" + ".join(terms), using, "Lambda, time", period=HOUR),
        math(expression, called, "Lambda, calls", period=HOUR),
    ]


def _memory_mb(function: lambda_.Function) -> float:
    return cast("lambda_.CfnFunction", function.node.default_child).memory_size or 128


def _table(usage: Usage) -> cloudwatch.MathExpression:
    using: dict[str, cloudwatch.IMetric] = {
        "read": usage.table.metric_consumed_read_capacity_units(period=HOUR, statistic=_SUM),
        "written": usage.table.metric_consumed_write_capacity_units(period=HOUR, statistic=_SUM),
    }
    cost = f"{_figure(READ_UNIT)} * FILL(read, 0) + {_figure(WRITE_UNIT)} * FILL(written, 0)"
    return math(cost, using, "DynamoDB", period=HOUR)


def _stream(usage: Usage) -> cloudwatch.MathExpression:
    shards = usage.environment.stream.shards
    if shards is None:
        taken = usage.stream.metric_incoming_bytes(period=HOUR, statistic=_SUM)
        cost = f"{ON_DEMAND_HOUR} + {_figure(ON_DEMAND_GB / _GB)} * FILL(taken, 0)"
    else:
        taken = usage.stream.metric_incoming_records(period=HOUR, statistic=_SUM)
        cost = f"{SHARD_HOUR * shards} + {_figure(PUT_UNIT)} * FILL(taken, 0)"
    return math(cost, {"taken": taken}, "Kinesis", period=HOUR)


def _logs(usage: Usage) -> cloudwatch.MathExpression:
    written = [
        cloudwatch.Metric(
            namespace="AWS/Logs",
            metric_name="IncomingBytes",
            dimensions_map={"LogGroupName": function.log_group.log_group_name},
            statistic=_SUM,
            period=HOUR,
        )
        for function in usage.functions
    ]
    expression, using = total(written, "logged", _figure(LOG_GB / _GB))
    return math(expression, using, "logs", period=HOUR)


def _figure(dollars: float) -> str:
    """Write a price without an exponent, which metric math would take for a metric's name."""
    return f"{dollars:.15f}".rstrip("0")
