"""Models in a container: two at once, fetched once, and never fetched again if they can't be used."""

from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from functions.refresh_recommendations.models import ModelCache
from integration.conftest import Platform
from personalization.errors import ModelError, Unavailable


class CountingClient:
    """S3, and how often each object was read."""

    def __init__(self) -> None:
        self._client = boto3.client("s3")
        self.read: Counter[str] = Counter()

    def get_object(self, **request: str) -> Any:
        self.read[request["Key"]] += 1
        return self._client.get_object(**request)

    def download_file(self, bucket: str, key: str, path: str, **options: Any) -> None:
        self.read[key] += 1
        self._client.download_file(bucket, key, path, **options)


def read(folder: Path) -> Any:
    text = (folder / "model.txt").read_text()
    if text == "broken":
        raise ModelError(text)
    return text


@pytest.fixture
def cache(platform: Platform, tmp_path: Path) -> ModelCache:
    """A cache over models v0 to v2, each of one file that holds its version; what is read is that text."""
    for version, text in {"v0": "v0", "v1": "v1", "v2": "v2", "bad": "broken"}.items():
        for name, body in {"manifest.json": msgspec.json.encode(["model.txt"]), "model.txt": text}.items():
            boto3.client("s3").put_object(Bucket="models", Key=f"models/{version}/{name}", Body=body)
    return ModelCache(CountingClient(), "models", tmp_path / "models", read)  # type: ignore[arg-type]


def fetches(cache: ModelCache, version: str) -> int:
    read: Counter[str] = cache.client.read  # type: ignore[attr-defined]
    return read[f"models/{version}/model.txt"]


def test_two_models_take_turns_without_being_fetched_again(cache: ModelCache) -> None:
    assert [str(cache.load(version)) for version in ("v0", "v1", "v0", "v1")] == ["v0", "v1", "v0", "v1"]
    assert (fetches(cache, "v0"), fetches(cache, "v1")) == (1, 1)


def test_a_third_one_takes_the_place_of_the_one_asked_for_longest_ago(cache: ModelCache) -> None:
    for version in ("v0", "v1", "v0", "v2", "v0", "v1"):
        cache.load(version)
    assert [fetches(cache, version) for version in ("v0", "v1", "v2")] == [1, 2, 1]
    assert {path.name for path in cache.folder.iterdir()} == {"v0", "v1"}


def test_a_model_that_is_not_published_is_told_from_one_out_of_reach(cache: ModelCache) -> None:
    with pytest.raises(ModelError, match="v7 is not published"):
        cache.load("v7")
    cache.bucket = "nowhere"
    with pytest.raises(Unavailable):
        cache.load("v0")


def test_a_model_that_can_not_be_used_is_fetched_once(cache: ModelCache) -> None:
    for _ in range(3):
        with pytest.raises(ModelError, match="broken"):
            cache.load("bad")
    assert fetches(cache, "bad") == 1
