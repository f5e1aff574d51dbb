"""Follows all log groups of the local AWS; every line comes once."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_OVERLAP_MILLISECONDS: Final = 5000

_Line = tuple[str, int, str]


class LogTail:
    """Reads on from where the last call ended.

    Lines reach a log group a little out of order, so each call looks back a few seconds and leaves out what
    the call before it saw in that time.
    """

    def __init__(self, client: "CloudWatchLogsClient", pattern: str) -> None:
        self._client = client
        self._pattern = pattern
        self._seen: dict[str, Counter[_Line]] = {}
        self._newest: dict[str, int] = {}

    def read(self) -> Iterator[str]:
        """Return the lines that match the pattern and came since the last call."""
        for page in self._client.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                yield from self._read_group(group["logGroupName"])

    def _read_group(self, group: str) -> Iterator[str]:
        start = max(0, self._newest.get(group, 0) - _OVERLAP_MILLISECONDS)
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=start, filterPattern=self._pattern
        )
        current = Counter[_Line](
            (event["logStreamName"], event["timestamp"], event["message"])
            for page in pages
            for event in page["events"]
        )
        fresh = current - self._seen.get(group, Counter())
        self._seen[group] = current
        self._newest[group] = max((at for _, at, _ in current), default=start)
        for _, _, message in sorted(fresh.elements(), key=lambda line: line[1]):
            yield message
