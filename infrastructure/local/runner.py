"""Does what the local AWS leaves out of CloudWatch: metrics from log lines, and the judgement of alarms.

A background process: `python -m infrastructure.local.runner PORT`, started with `up` and ended with `down`.
"""

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from infrastructure.local import alarms, emf, stack
from infrastructure.local.layout import Layout
from infrastructure.local.lifecycle import LocalAws
from infrastructure.local.log_tail import LogTail

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

METRICS_PAUSE_SECONDS: Final = 2.0
ALARMS_PAUSE_SECONDS: Final = 10.0
_POINTS_A_REQUEST: Final = 500

_log = logging.getLogger("attune.local.runner")


def main(arguments: Sequence[str]) -> int:
    """Work until the local AWS on the port ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    aws = LocalAws(Layout(int(arguments[0])), {})
    tail = LogTail(aws.client("logs"), '"CloudWatchMetrics"')
    cloudwatch = aws.client("cloudwatch")
    alarms_due = 0.0
    while stack.is_running(aws.layout):
        try:
            forward_metrics(cloudwatch, tail.read())
            if time.monotonic() >= alarms_due:
                report_alarms(cloudwatch)
                alarms_due = time.monotonic() + ALARMS_PAUSE_SECONDS
        except (BotoCoreError, ClientError):
            _log.exception("the local AWS refused a call; going on")
        time.sleep(METRICS_PAUSE_SECONDS)
    return 0


def forward_metrics(cloudwatch: "CloudWatchClient", lines: Iterable[str]) -> None:
    """Put the data points of embedded metrics in `lines` into CloudWatch."""
    by_namespace: dict[str, list[Any]] = defaultdict(list)
    for line in lines:
        for points in emf.parse(line):
            by_namespace[points.namespace].append(points.as_request())
    for namespace, data in by_namespace.items():
        for batch in batched(data, _POINTS_A_REQUEST, strict=False):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=batch)
        _log.info("%d metrics forwarded to namespace %s", len(data), namespace)


def report_alarms(cloudwatch: "CloudWatchClient") -> None:
    """Set the states of the alarms, and log those that changed."""
    for name, verdict in alarms.evaluate_all(cloudwatch, datetime.now(UTC)):
        _log.info("alarm %s is %s: %s", name, verdict.state, verdict.reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
