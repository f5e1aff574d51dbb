"""Reading experiments: not in a request's way, not more often than allowed, and not worse than before."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from app_config import INTERVAL, AppConfig, app_config
from personalization.adapters.appconfig import POLL_SECONDS, Address, AppConfigSession, PolledDefinitions
from personalization.errors import InvalidInput, Unavailable
from personalization.experiments import Definitions

ONE = '{"experiments": [], "holdout": {"share": 0.1}}'
OTHER = '{"experiments": [], "holdout": {"share": 0.2}}'


@pytest.fixture
def server() -> Iterator[AppConfig]:
    with app_config(ONE) as running:
        yield running


def session(server: AppConfig) -> AppConfigSession:
    client = boto3.client(
        "appconfigdata",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return AppConfigSession(client, Address.parse("app/local/experiments"))


@dataclass
class Reader:
    """A reader with a clock of its own."""

    server: AppConfig
    now: datetime = datetime(2026, 11, 24, tzinfo=UTC)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.polled = PolledDefinitions(session(self.server), lambda: self.now, self.faults.append)

    def held_out(self) -> float | None:
        definitions: Definitions | None = self.polled.current()
        return definitions.holdout.share if definitions and definitions.holdout else None

    def later(self, seconds: float = INTERVAL) -> None:
        """Let time pass and a request come; wait for what that starts."""
        self.now += timedelta(seconds=seconds)
        self.polled.current()
        until(lambda: not self.polled.is_polling)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_first_call_brings_definitions_and_the_next_one_only_changes(server: AppConfig) -> None:
    reading = session(server)
    assert reading.poll() is not None
    assert reading.poll() is None
    server.deploy(OTHER)
    changed = reading.poll()
    assert changed is not None
    assert changed.holdout is not None
    assert changed.holdout.share == 0.2
    assert server.sessions == [
        {
            "ApplicationIdentifier": "app",
            "EnvironmentIdentifier": "local",
            "ConfigurationProfileIdentifier": "experiments",
            "RequiredMinimumPollIntervalInSeconds": POLL_SECONDS,
        }
    ]


def test_after_a_fault_a_session_begins_anew(server: AppConfig) -> None:
    reading = session(server)
    reading.poll()
    server.failing = True
    with pytest.raises(Unavailable, match="AppConfig"):
        reading.poll()
    server.failing = False
    assert reading.poll() is not None
    assert len(server.sessions) == 2


def test_what_can_not_be_read_is_refused_and_a_later_copy_is_read(server: AppConfig) -> None:
    reading = session(server)
    server.deploy("{broken")
    with pytest.raises(InvalidInput, match="invalid_experiments"):
        reading.poll()
    server.deploy(ONE)
    assert reading.poll() is not None


def test_the_first_request_finds_the_first_copy(server: AppConfig) -> None:
    assert Reader(server).held_out() == 0.1


def test_a_new_copy_is_read_in_the_background_once_the_interval_is_over(server: AppConfig) -> None:
    reader = Reader(server)
    reader.held_out()
    server.deploy(OTHER)
    reader.later(INTERVAL - 1)
    assert (reader.held_out(), server.polls) == (0.1, 1)
    reader.later(1)
    assert (reader.held_out(), server.polls) == (0.2, 2)


def test_no_request_waits_for_a_new_copy(server: AppConfig) -> None:
    reader = Reader(server)
    reader.held_out()
    server.deploy(OTHER)
    server.delay = 0.3
    reader.now += timedelta(seconds=INTERVAL)
    begun = time.perf_counter()
    assert [reader.held_out() for _ in range(100)] == [0.1] * 100
    assert time.perf_counter() - begun < 0.2
    until(lambda: reader.held_out() == 0.2)
    assert server.polls == 2


@pytest.mark.parametrize("broken", ["{broken", '{"experiments": [{}]}', b"\xff\xfe"])
def test_a_corrupt_copy_is_told_of_and_the_one_before_stays(server: AppConfig, broken: str | bytes) -> None:
    reader = Reader(server)
    reader.held_out()
    server.deploy(broken)
    reader.later()
    assert reader.held_out() == 0.1
    assert len(reader.faults) == 1
    assert "invalid_experiments" in reader.faults[0]
    server.deploy(OTHER)
    reader.later()
    assert reader.held_out() == 0.2


def test_an_outage_is_told_of_and_the_copy_before_stays(server: AppConfig) -> None:
    reader = Reader(server)
    reader.held_out()
    server.failing = True
    reader.later()
    assert reader.held_out() == 0.1
    assert len(reader.faults) == 1


def test_without_any_copy_there_are_no_definitions_until_one_comes(server: AppConfig) -> None:
    server.failing = True
    reader = Reader(server)
    assert reader.held_out() is None
    server.failing = False
    reader.later()
    assert reader.held_out() == 0.1


def test_a_first_copy_that_is_late_is_not_waited_for_long(server: AppConfig) -> None:
    server.delay = 0.5
    slow = PolledDefinitions(session(server), lambda: datetime.now(UTC), lambda _: None, patience=0.05)
    begun = time.perf_counter()
    assert [slow.current() for _ in range(20)] == [None] * 20
    assert time.perf_counter() - begun < 0.4
    until(lambda: slow.current() is not None)


def test_where_nothing_is_deployed_that_is_said() -> None:
    with app_config() as empty:
        reader = Reader(empty)
        assert reader.held_out() is None
        assert reader.faults == ["no definitions of experiments are deployed"]
