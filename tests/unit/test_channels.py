"""A step's channels: prefixes of buckets on one side, folders on the other, one call an object."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ResponseStreamingError
from moto import mock_aws

from functions.run_training_step.channels import Channel, download, upload

CHANNEL = Channel("lake", "events/", "processing/input/events")


@pytest.fixture
def client() -> Iterator:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        yield client


def fill(client, count: int) -> dict[str, bytes]:
    bodies = {f"date=2026-01-{number % 3 + 1:02}/{number}": bytes([number]) * 99 for number in range(count)}
    for name, body in bodies.items():
        client.put_object(Bucket="lake", Key=f"events/{name}", Body=body)
    return bodies


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_channel_arrives_whole_with_one_call_an_object(client, tmp_path: Path) -> None:
    bodies = fill(client, 40)
    client.put_object(Bucket="lake", Key="quarantine/x", Body=b"no")
    calls: Counter[str] = Counter()
    client.meta.events.register("before-call.s3", lambda model, **_: calls.update([model.name]))
    assert download(client, CHANNEL, tmp_path) == 40
    assert files(tmp_path / CHANNEL.folder) == bodies
    assert calls == {"ListObjectsV2": 1, "GetObject": 40}


def test_an_empty_channel_is_an_empty_folder(client, tmp_path: Path) -> None:
    assert download(client, CHANNEL, tmp_path) == 0
    assert (tmp_path / CHANNEL.folder).is_dir()


class Cut:
    """A body whose connection breaks after a few bytes."""

    def __init__(self) -> None:
        self._left = [b"few"]

    def read(self, _: int) -> bytes:
        if self._left:
            return self._left.pop()
        raise ResponseStreamingError(error="connection broken")


@pytest.mark.parametrize("breaks", [1, 3])
def test_a_broken_download_starts_over_a_few_times(
    client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    bodies = fill(client, 1)
    whole, left = client.get_object, [Cut() for _ in range(breaks)]
    monkeypatch.setattr(client, "get_object", lambda **k: {"Body": left.pop()} if left else whole(**k))
    if breaks < 3:
        download(client, CHANNEL, tmp_path)
        assert files(tmp_path / CHANNEL.folder) == bodies
    else:
        with pytest.raises(ResponseStreamingError):
            download(client, CHANNEL, tmp_path)


def test_what_is_uploaded_can_be_downloaded(client, tmp_path: Path) -> None:
    bodies = fill(client, 5)
    download(client, CHANNEL, tmp_path)
    copy = Channel("lake", "copy/", CHANNEL.folder)
    assert upload(client, copy, tmp_path) == 5
    download(client, copy, tmp_path / "again")
    assert files(tmp_path / "again" / CHANNEL.folder) == bodies
