"""What CloudWatch knows of the platform: counts by variant, and the states of the alarms."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.alarms import Alarm
from personalization.click_rates import Counts, Series, Window
from personalization.errors import Unavailable
from personalization.names import NAMESPACE, Dimension, Metric

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

MAX_QUERIES: Final = 500
"""That one call of GetMetricData takes."""
_COUNTED_BY: Final = "update_profiles"
_COUNTED: Final = (Metric.IMPRESSIONS, Metric.CLICKS)
_TRANSIENT: Final = frozenset({"Throttling", "ThrottlingException", "InternalServiceFault", "LimitExceeded"})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _TRANSIENT:
            raise Unavailable(error.response["Error"]["Code"]) from error
        raise
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error


class CloudWatchMonitor:
    """Reads metrics, of the namespace of this deployment, and alarms."""

    def __init__(self, client: "CloudWatchClient", namespace: str = NAMESPACE) -> None:
        self._client = client
        self._namespace = namespace

    def counts(self, series: Sequence[Series], window: Window) -> dict[Series, dict[datetime, Counts]]:
        """Read impressions and clicks by variant and period; a period without either is left out.

        Cost: two metrics a variant, $0.01 for 500 variants; a call for 250 of them.
        """
        wanted = {
            f"m{number}": (one, metric)
            for number, (one, metric) in enumerate((one, metric) for one in series for metric in _COUNTED)
        }
        found: dict[Series, dict[datetime, dict[Metric, float]]] = defaultdict(lambda: defaultdict(dict))
        for chunk in batched(wanted, MAX_QUERIES, strict=False):
            queries = [_query(id_, self._namespace, *wanted[id_], window) for id_ in chunk]
            for id_, at, value in self._data(queries, window):
                one, metric = wanted[id_]
                found[one][at][metric] = value
        return {
            one: {at: Counts(*(row.get(metric, 0.0) for metric in _COUNTED)) for at, row in rows.items()}
            for one, rows in found.items()
        }

    def _data(
        self, queries: Sequence[Mapping[str, Any]], window: Window
    ) -> Iterator[tuple[str, datetime, float]]:
        pages = self._client.get_paginator("get_metric_data")
        with _translated():
            for page in pages.paginate(
                MetricDataQueries=queries,  # type: ignore[arg-type]
                StartTime=window.start,
                EndTime=window.end,
            ):
                for result in page["MetricDataResults"]:
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                        yield result["Id"], at.astimezone(UTC), value

    def alarms(self, prefix: str) -> list[Alarm]:
        """Read all alarms whose names begin with a prefix, composite ones too. Cost: a call for 100."""
        pages = self._client.get_paginator("describe_alarms")
        with _translated():
            return [
                _alarm(row)
                for page in pages.paginate(
                    AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
                )
                for row in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
            ]


def _alarm(row: Mapping[str, Any]) -> Alarm:
    return Alarm(
        name=row["AlarmName"],
        state=row["StateValue"],
        reason=row.get("StateReason", ""),
        description=row.get("AlarmDescription", ""),
        since=row.get("StateTransitionedTimestamp", row["StateUpdatedTimestamp"]),
        composite="AlarmRule" in row,
        tells=bool(row.get("ActionsEnabled") and row.get("AlarmActions")),
    )


def _query(id_: str, namespace: str, series: Series, metric: Metric, window: Window) -> dict[str, Any]:
    dimensions = {
        Dimension.SURFACE: series.surface,
        Dimension.EXPERIMENT: series.experiment,
        Dimension.VARIANT: series.variant,
        Dimension.SERVICE: _COUNTED_BY,
    }
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": str(name), "Value": value} for name, value in dimensions.items()],
            },
            "Period": int(window.period.total_seconds()),
            "Stat": "Sum",
        },
    }
