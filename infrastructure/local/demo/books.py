"""The books: what was sent, and what became of it, from the platform's own metrics and its lake."""

import gzip
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from infrastructure.local.lifecycle import LocalAws
from personalization.archiving import read_lines
from personalization.names import NAMESPACE, Dimension, Metric

_PATIENCE: Final = timedelta(seconds=90)
_POLL_SECONDS: Final = 1.0
_FATES: Final = {
    "applied": Metric.EVENTS_APPLIED,
    "duplicate": Metric.EVENTS_DUPLICATE,
    "filtered": Metric.EVENTS_FILTERED,
    "quarantined": Metric.EVENTS_QUARANTINED,
}


@dataclass(frozen=True)
class Books:
    """Live events by fate."""

    sent: int
    accepted: int
    rejected: int
    fates: Mapping[str, int]
    lake: int

    @property
    def balanced(self) -> bool:
        """Whether every event is accounted for."""
        return (
            self.sent == self.accepted + self.rejected
            and self.accepted == sum(self.fates.values())
            and self.accepted == self.lake
        )


@dataclass(frozen=True)
class Ledger:
    """Reads metrics and lake of a local AWS.

    Parameters
    ----------
    since
        Start of the first minute that counts, in metrics and lake alike.
    """

    aws: LocalAws
    since: datetime

    def close(self, *, sent: int, accepted: int, rejected: int) -> Books:
        """Wait until the stream is drained, or patience ends, and draw up the books."""
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        while True:
            fates = {fate: self._sum(metric, Dimension.SERVICE) for fate, metric in _FATES.items()}
            books = Books(sent, accepted, rejected, fates, self._lake())
            if books.balanced or time.monotonic() > deadline:
                return books
            time.sleep(_POLL_SECONDS)

    def click_rates(self) -> Iterator[tuple[str, str, str, int, int]]:
        """Yield (surface, experiment, variant, impressions, clicks) of every variant there is."""
        client = self.aws.client("cloudwatch")
        found = client.list_metrics(Namespace=NAMESPACE, MetricName=Metric.IMPRESSIONS)["Metrics"]
        for series in sorted(found, key=lambda row: str(row["Dimensions"])):
            named = {dimension["Name"]: dimension["Value"] for dimension in series["Dimensions"]}
            if Dimension.VARIANT not in named:
                continue
            counts = [
                self._total(metric, series["Dimensions"]) for metric in (Metric.IMPRESSIONS, Metric.CLICKS)
            ]
            key = [named[part] for part in (Dimension.SURFACE, Dimension.EXPERIMENT, Dimension.VARIANT)]
            yield key[0], key[1], key[2], counts[0], counts[1]

    def _sum(self, metric: Metric, dimension: Dimension) -> int:
        client = self.aws.client("cloudwatch")
        found = client.list_metrics(Namespace=NAMESPACE, MetricName=metric)["Metrics"]
        return sum(
            self._total(metric, series["Dimensions"])
            for series in found
            if any(row["Name"] == dimension for row in series["Dimensions"])
        )

    def _total(self, metric: Metric, dimensions: Any) -> int:
        points: list[dict[str, float]] = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=self.since,
            EndTime=datetime.now(UTC) + timedelta(minutes=2),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return round(sum(point["Sum"] for point in points))

    def _lake(self) -> int:
        """Count the records that the live stream brought into the lake, each once."""
        client = self.aws.client("s3")
        bucket = self.aws.output("LakeBucketName")
        numbers = set()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
            for found in page.get("Contents", []):
                if "/import-" not in found["Key"]:
                    body = client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
                    numbers |= {
                        line.sequence_number
                        for line in read_lines(gzip.decompress(body).splitlines())
                        if line.arrived_at >= self.since
                    }
        return len(numbers)
