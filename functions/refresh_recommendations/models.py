"""Published models on the container's disk: that in service and one that is tried, fetched when asked for."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

import msgspec
from boto3.exceptions import RetriesExceededError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import ModelError, Unavailable
from personalization.keys import MANIFEST, model_prefix
from personalization.ranking import Model
from personalization.runtime.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEPT: Final = 2
"""Models at once: definitions of experiments name at most one beside that in service."""
_TRANSFER: Final = TransferConfig(num_download_attempts=2)
"""The client tries each call again by itself."""
_ABSENT: Final = frozenset({"NoSuchKey", "AccessDenied"})
"""What S3 says of an object that is not there, with and without the right to list the bucket."""


@dataclass
class ModelCache:
    """Loads the model of a version, and keeps the `KEPT` that were asked for last."""

    client: "S3Client"
    bucket: str
    folder: Path = field(default_factory=lambda: Path(gettempdir()) / "models")
    read: Callable[[Path], Model] = Model.load
    _loaded: dict[str, Model] = field(default_factory=dict)
    _unusable: dict[str, ModelError] = field(default_factory=dict)
    """Published models that this code can't read; they don't change, and are not fetched again."""

    def load(self, version: str) -> Model:
        """Return the model of a version. The first call of a version downloads it.

        Raises
        ------
        Unavailable
            The files can't be fetched now.
        ModelError
            The version is not published, or its files are unreadable.
        """
        if version in self._unusable:
            raise self._unusable[version]
        model = self._loaded.pop(version, None) or self._fetch(version)
        self._loaded[version] = model
        return model

    def _fetch(self, version: str) -> Model:
        while len(self._loaded) >= KEPT:
            oldest = next(iter(self._loaded))
            del self._loaded[oldest]
            shutil.rmtree(self.folder / oldest, ignore_errors=True)
        folder = self.folder / version
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._download(version, folder)
        except (ClientError, RetriesExceededError, *UNREACHABLE) as error:
            raise Unavailable(f"model {version} can't be fetched: {error}") from error
        try:
            return self.read(folder)
        except ModelError as error:
            logger.warning("model can't be used", version=version, reason=str(error))
            self._unusable[version] = error
            raise

    def _download(self, version: str, folder: Path) -> None:
        prefix = model_prefix(version)
        for name in self._manifest(prefix, version):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(self.bucket, prefix + name, str(target), Config=_TRANSFER)

    def _manifest(self, prefix: str, version: str) -> list[str]:
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=prefix + MANIFEST)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT:
                raise
            logger.warning("model is not published", version=version)
            raise ModelError(f"model {version} is not published") from error
        try:
            return msgspec.json.decode(body, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"the manifest of model {version} can't be read: {error}") from error
