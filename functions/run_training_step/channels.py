"""Carries a step's channels between S3 and SageMaker's folders, so that the job sees only files.

A channel is a prefix of a bucket on one side and a folder below the root on the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from personalization.keys import MANIFEST, SNAPSHOTS, model_prefix, run_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THREADS: Final = 16
"""Objects carried at a time: most are small, and wait for S3 rather than for the network."""
_ATTEMPTS: Final = 3
_CUT_OFF: Final = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""What botocore, which retries requests, leaves to who reads the body."""


@dataclass(frozen=True)
class Channel:
    """A prefix of a bucket and its folder, relative to the job's root."""

    bucket: str
    prefix: str
    folder: str


@dataclass(frozen=True)
class Wiring:
    """What a step reads and writes."""

    inputs: Sequence[Channel]
    outputs: Sequence[Channel]


def wiring(step: str, *, run_id: str, model_bucket: str, champion: str | None) -> Wiring:
    """Return the channels of a step, in the folders SageMaker would use for it.

    Parameters
    ----------
    champion
        Version of the model in service, which *evaluate* and *gate* compare with; None if there is none.

    Raises
    ------
    KeyError
        There is no such step.
    """

    def run(name: str, folder: str) -> Channel:
        return Channel(model_bucket, run_prefix(run_id, name), folder)

    dataset = run("dataset", "processing/input/dataset")
    model = run("model", "processing/input/model")
    report = run("report", "processing/input/report")
    lists = run("lists", "processing/input/lists")
    rival = [Channel(model_bucket, model_prefix(champion), "processing/input/champion")] if champion else []
    steps = {
        # Its input is chosen by what is there: `functions.run_training_step.history`.
        "prepare": Wiring(
            [],
            [
                run("dataset", "processing/output/dataset"),
                Channel(model_bucket, SNAPSHOTS, "processing/output/snapshots"),
            ],
        ),
        "train": Wiring([run("dataset", "input/data/dataset")], [run("model", "model")]),
        "evaluate": Wiring([dataset, model, *rival], [run("report", "processing/output/report")]),
        "gate": Wiring([model, report, *rival], [run("verdict", "processing/output/verdict")]),
        "rank": Wiring([dataset, model], [run("lists", "processing/output/lists")]),
        "publish": Wiring([model, lists, report], []),
    }
    return steps[step]


def download(client: "S3Client", channel: Channel, root: Path) -> int:
    """Copy a channel's objects into its folder; return how many there were. Cost: one get an object.

    boto3's own `download_file` asks for an object's size first, which doubles the calls.
    """
    found = [listed.key for listed in listing(client, channel.bucket, channel.prefix)]
    fetch(client, channel, found, root)
    return len(found)


def fetch(client: "S3Client", channel: Channel, keys: Iterable[str], root: Path) -> None:
    """Copy some of a channel's objects into its folder."""
    folder = root / channel.folder
    folder.mkdir(parents=True, exist_ok=True)

    def one(key: str) -> None:
        target = folder / key.removeprefix(channel.prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(client, channel.bucket, key, target)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, keys))


def _fetch(client: "S3Client", bucket: str, key: str, target: Path) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with target.open("wb") as file:
                copyfileobj(client.get_object(Bucket=bucket, Key=key)["Body"], file)
        except _CUT_OFF:
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def upload(client: "S3Client", channel: Channel, root: Path) -> int:
    """Copy a folder's files under the channel's prefix, manifests last; return how many there were."""
    folder = root / channel.folder
    files = sorted(path for path in folder.rglob("*") if path.is_file())

    def send(path: Path) -> None:
        client.upload_file(str(path), channel.bucket, channel.prefix + str(path.relative_to(folder)))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(send, (path for path in files if path.name != MANIFEST)))
        list(pool.map(send, (path for path in files if path.name == MANIFEST)))
    return len(files)


class Listed(NamedTuple):
    """An object as a listing tells of it."""

    key: str
    tag: str
    size: int


def listing(client: "S3Client", bucket: str, prefix: str) -> Iterator[Listed]:
    """List objects in order of key. Cost: one call for 1,000."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            yield Listed(found["Key"], found["ETag"], found["Size"])
