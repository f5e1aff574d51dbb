"""What a night fetches: the day's objects and the last snapshot, nothing else; and what without one."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from factories import event, lambda_of
from functions.run_training_step import handler
from functions.run_training_step.dependencies import Dependencies
from functions.run_training_step.settings import Settings
from personalization.adapters.appconfig import Address, DeployedDefinitions
from personalization.adapters.memory import MemoryTable
from personalization.adapters.s3 import S3Archive
from personalization.archiving import archive
from personalization.events import encode_event
from personalization.ports import StreamRecord
from training import split

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OBJECTS_A_DAY = 6


class Nights:
    """A lake and a model bucket, and the step *prepare* as Lambda runs it; counts what it reads."""

    def __init__(self, client) -> None:
        self.client = client
        self.read: Counter[str] = Counter()
        client.meta.events.register("provide-client-params.s3.GetObject", self._count)

    def _count(self, params, **_: object) -> None:
        folder, _, rest = params["Key"].partition("/")
        self.read[f"{folder}/{rest.split('/')[0]}"] += 1

    def stream(self, number: int) -> None:
        """One day's objects: each of thirty users comes to something new."""
        day = FIRST + number * DAY
        for start in range(OBJECTS_A_DAY):
            records = [
                StreamRecord("s", str(1000 * number + 100 * start + user), "p", day + start * DAY / 8, data)
                for user in range(start, 30, OBJECTS_A_DAY)
                for data in [self._event(user, number, day + start * DAY / 8)]
            ]
            archive(records, epoch=1, lake=S3Archive(self.client, "lake"))

    def _event(self, user: int, number: int, at: datetime) -> bytes:
        fields = {"user_key": f"user-{user}", "event_id": f"e{number}", "occurred_at": at}
        return encode_event(event("click", f"sku-{number}", **fields))

    def prepare(self, number: int, *, run_id: str = "run") -> dict:
        """Run the night after a day."""
        self.read.clear()
        now = (FIRST + number * DAY + DAY + timedelta(hours=3)).isoformat()
        run = {"run_id": run_id, "now": now, "shard_count": 1}
        answer = handler.handler({"step": "prepare", **run}, lambda_of())
        read = self.read.copy()
        answer |= handler.handler({"step": "soundness", **run}, lambda_of())
        self.read = read
        return answer

    def dataset(self, run_id: str) -> dict[str, bytes]:
        found = self.client.list_objects_v2(Bucket="models", Prefix=f"runs/{run_id}/dataset/")["Contents"]
        return {one["Key"].rpartition("/")[2]: self.body(one["Key"]) for one in found}

    def body(self, key: str) -> bytes:
        return self.client.get_object(Bucket="models", Key=key)["Body"].read()

    def snapshots(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket="models", Prefix="snapshots/").get("Contents", [])
        return [one["Key"] for one in found]


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    monkeypatch.setattr(split, "ENOUGH_USERS", 5)
    with mock_aws():
        client = boto3.client("s3")
        for bucket in ("lake", "models"):
            client.create_bucket(Bucket=bucket)
        settings = Settings("lake", "models", "table", "0.1.0+test", "app/test/experiments", "1")
        address = Address.parse(settings.experiments_address)
        deployed = DeployedDefinitions(boto3.client("appconfigdata"), address)
        deps = Dependencies(client, MemoryTable(), settings, deployed)
        monkeypatch.setattr(handler, "dependencies", lambda: deps)
        nights = Nights(client)
        for number in range(9):
            nights.stream(number)
        yield nights


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why a snapshot, or all of them, were passed over."""
    return [record.reason for record in caplog.records if hasattr(record, "reason")]


def test_a_night_reads_only_its_days_objects_and_the_last_snapshot(nights: Nights) -> None:
    first = nights.prepare(8)
    assert first["fetched"]["objects"] == 9 * OBJECTS_A_DAY
    files = len(nights.snapshots())
    nights.stream(9)
    second = nights.prepare(9, run_id="short")
    assert second["fetched"]["objects"] == OBJECTS_A_DAY
    assert second["fetched"]["bytes"] < first["fetched"]["bytes"] / 5
    assert second["fetched"]["through"] == "2026-01-09"
    assert nights.read == {"events/date=2026-01-10": OBJECTS_A_DAY, "snapshots/date=2026-01-09": files}


def test_a_missed_night_is_made_up_for_by_the_next(nights: Nights) -> None:
    nights.prepare(6)
    assert nights.prepare(8)["fetched"]["objects"] == 2 * OBJECTS_A_DAY


@pytest.mark.parametrize("harm", ["lost", "manifest lost", "damaged", "shortened"])
def test_without_a_whole_snapshot_the_night_replays_the_lake_and_says_why(
    nights: Nights, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    nights.prepare(7)
    keys = nights.snapshots()
    manifests = [key for key in keys if "manifest" in key]
    for key in {"lost": keys, "manifest lost": manifests}.get(harm, []):
        nights.client.delete_object(Bucket="models", Key=key)
    if harm in ("damaged", "shortened"):
        key = next(key for key in keys if "profiles.00" in key)
        body = nights.body(key)
        spoiled = body[:-1] + b"?" if harm == "damaged" else body[:-4]
        nights.client.put_object(Bucket="models", Key=key, Body=spoiled)
    caplog.clear()
    night = nights.prepare(8, run_id="after")
    assert night["fetched"]["through"] is None
    assert night["fetched"]["objects"] == 9 * OBJECTS_A_DAY
    *passed_over, last = reasons(caplog)
    assert last == "there is no snapshot to begin with"
    expected = {"lost": [], "manifest lost": ["its manifest can't be read"]}
    assert passed_over == expected.get(harm, ["profiles.00.msgpack.gz is damaged"])
    for key in nights.snapshots():
        nights.client.delete_object(Bucket="models", Key=key)
    nights.prepare(8, run_id="fresh")
    assert nights.dataset("after") == nights.dataset("fresh")


def test_nights_with_and_without_snapshots_store_the_same_dataset(nights: Nights) -> None:
    nights.prepare(7)
    assert nights.prepare(8, run_id="short")["fetched"]["through"] is not None
    for key in nights.snapshots():
        nights.client.delete_object(Bucket="models", Key=key)
    assert nights.prepare(8, run_id="long")["fetched"]["through"] is None
    assert nights.dataset("short") == nights.dataset("long")


def test_too_few_users_for_a_split_by_time_cost_the_whole_lake(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nights.prepare(7)
    monkeypatch.setattr(split, "ENOUGH_USERS", 2_000)
    assert nights.prepare(8)["fetched"]["objects"] == 9 * OBJECTS_A_DAY
    assert reasons(caplog)[-1] == "too few users act within days to split by time"
    nights.stream(9)
    assert nights.prepare(9)["fetched"]["objects"] == 10 * OBJECTS_A_DAY
    assert reasons(caplog)[-1] == "the last night was split leave-last-out"
    assert nights.read.total() == 10 * OBJECTS_A_DAY + 1
    monkeypatch.setattr(split, "ENOUGH_USERS", 5)
    nights.prepare(9)
    nights.stream(10)
    assert nights.prepare(10)["fetched"]["objects"] == OBJECTS_A_DAY


def test_a_night_whose_data_fails_its_checks_says_so_and_is_counted(
    nights: Nights, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nights.prepare(8)["train"]
    capsys.readouterr()
    stopped = nights.prepare(18, run_id="dry")
    assert not stopped["train"]
    assert stopped["reasons"][0].startswith("freshness: the newest event is of 2026-01-09")
    assert '"NightsStopped":[1.0]' in capsys.readouterr().out
    assert b"The night stops here" in nights.dataset("dry")["soundness.html"]


def test_an_object_filed_late_under_an_old_day_is_not_missed(nights: Nights) -> None:
    nights.prepare(6)
    nights.prepare(7)
    late = StreamRecord("other", "9", "p", FIRST + 7 * DAY, nights._event(3, 77, FIRST + 7 * DAY))
    archive([late], epoch=1, lake=S3Archive(nights.client, "lake"))
    night = nights.prepare(8)
    assert night["fetched"]["through"] == str(date(2026, 1, 7))
    assert night["fetched"]["objects"] == 2 * OBJECTS_A_DAY + 1
