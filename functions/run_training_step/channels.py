"""Carries a step's channels between S3 and SageMaker's folders, so that the job sees only files.

A channel is a prefix of a bucket on one side and a folder below the root on the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from personalization.keys import MANIFEST, SNAPSHOTS, run_prefix
from personalization.registry import METADATA_FILE
from training.data_checks import SOUNDNESS_FILE
from training.user_shards import shard_name

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
    only: str = ""
    """Beginning of the names, below the prefix, of the objects to fetch."""


@dataclass(frozen=True)
class Wiring:
    """What a step reads and writes."""

    inputs: Sequence[Channel]
    outputs: Sequence[Channel]


def wiring(
    step: str, *, run_id: str, model_bucket: str, shard: int | None = None, model: str | None = None
) -> Wiring:
    """Return the channels of a step, in the folders SageMaker would use for it.

    Parameters
    ----------
    shard
        The one shard of users to rank; all of them when left out.
    model
        S3 address of the folder in which another engine left the model; the run's own when left out.

    Raises
    ------
    KeyError
        There is no such step.
    """

    def run(name: str, folder: str, only: str = "") -> Channel:
        return Channel(model_bucket, run_prefix(run_id, name), folder, only)

    trained = run("model", "processing/input/model")
    if model is not None:
        trained = Channel(model_bucket, prefix_of(model, model_bucket), trained.folder)
    dataset = run("dataset", "processing/input/dataset")
    champion = run("champion", "processing/input/champion")
    users = run("users", "processing/input/users", "" if shard is None else shard_name(shard))
    experiments, tried = (run(name, f"processing/input/{name}") for name in ("experiments", "tried"))
    written = run("lists", "processing/output/lists")
    published = run("published", "processing/output/published")
    report, verdict = (run(name, f"processing/output/{name}") for name in ("report", "verdict"))
    steps = {
        # Its input is chosen by what is there: `functions.run_training_step.history`.
        "prepare": Wiring(
            [],
            [
                run("dataset", "processing/output/dataset"),
                run("users", "processing/output/users"),
                Channel(model_bucket, SNAPSHOTS, "processing/output/snapshots"),
            ],
        ),
        "soundness": Wiring([replace(dataset, only=SOUNDNESS_FILE)], []),
        "train": Wiring([run("dataset", "input/data/dataset")], [run("model", "model")]),
        "evaluate": Wiring([dataset, trained, champion], [report]),
        "gate": Wiring(
            [
                replace(trained, only=METADATA_FILE),
                run("report", "processing/input/report"),
                replace(champion, only=METADATA_FILE),
            ],
            [verdict],
        ),
        "rank": Wiring([users, trained, experiments, tried], [written]),
        "share": Wiring([dataset, trained], [written]),
        "publish": Wiring(
            [trained, run("lists", "processing/input/lists"), run("report", "processing/input/report")],
            [published],
        ),
        "announce": Wiring([published], []),
    }
    return steps[step]


def prefix_of(address: str, bucket: str) -> str:
    """Return the prefix, with its slash, that an S3 address of a folder leads to.

    >>> prefix_of("s3://models/runs/r/output/model", "models")
    'runs/r/output/model/'

    Raises
    ------
    ValueError
        The address is none of this bucket.
    """
    start = f"s3://{bucket}/"
    if not address.startswith(start):
        raise ValueError(f"{address} does not begin with {start}")
    return address.removeprefix(start).rstrip("/") + "/"


def download(client: "S3Client", channel: Channel, root: Path) -> int:
    """Copy a channel's objects into its folder; return how many there were. Cost: one get an object.

    boto3's own `download_file` asks for an object's size first, which doubles the calls.
    """
    found = [listed.key for listed in listing(client, channel.bucket, channel.prefix + channel.only)]
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
