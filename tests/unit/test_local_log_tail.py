import time
from collections.abc import Iterator
from itertools import count

import boto3
import pytest
from moto import mock_aws

from infrastructure.local.log_tail import LogTail

# CloudWatch refuses lines older than two weeks.
START = int(time.time() * 1000) - 60_000


class Log:
    """One log group, to which a function's lines are written, each invocation into a stream of its own."""

    def __init__(self) -> None:
        self.client = boto3.client("logs")
        self.client.create_log_group(logGroupName="group")
        self._names = (f"stream-{number}" for number in count())

    def write(self, at: int, *lines: str) -> None:
        stream = next(self._names)
        self.client.create_log_stream(logGroupName="group", logStreamName=stream)
        events = [{"timestamp": START + at, "message": line} for line in lines]
        self.client.put_log_events(logGroupName="group", logStreamName=stream, logEvents=events)


@pytest.fixture
def log() -> Iterator[Log]:
    with mock_aws():
        yield Log()


def test_every_line_comes_once(log: Log) -> None:
    tail = LogTail(log.client, "")
    log.write(0, "first", "second")
    assert list(tail.read()) == ["first", "second"]
    log.write(10, "third")
    assert list(tail.read()) == ["third"]
    assert list(tail.read()) == []


def test_the_same_line_written_twice_comes_twice(log: Log) -> None:
    tail = LogTail(log.client, "")
    log.write(0, "same", "same")
    assert list(tail.read()) == ["same", "same"]
    log.write(0, "same")
    assert list(tail.read()) == ["same"]


def test_a_line_that_arrives_after_a_later_one_is_not_lost(log: Log) -> None:
    tail = LogTail(log.client, "")
    log.write(4_000, "later")
    assert list(tail.read()) == ["later"]
    log.write(0, "earlier")
    assert list(tail.read()) == ["earlier"]
