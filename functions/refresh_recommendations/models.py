"""Published models on the container's disk: one at a time, fetched when the version changes."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Unavailable
from personalization.keys import MANIFEST, model_prefix
from personalization.ranking import Model

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass
class ModelCache:
    """Loads the model of a version, and keeps it until another is asked for."""

    client: "S3Client"
    bucket: str
    folder: Path = field(default_factory=lambda: Path(gettempdir()) / "model")
    _loaded: Model | None = None

    def load(self, version: str) -> Model:
        """Return the model of a version. The first call of a version downloads it.

        Raises
        ------
        Unavailable
            The files can't be fetched now.
        ModelError
            The files are unreadable.
        """
        if self._loaded is None or self._loaded.version != version:
            shutil.rmtree(self.folder, ignore_errors=True)
            try:
                self._download(version)
            except (ClientError, *UNREACHABLE) as error:
                raise Unavailable(f"model {version} can't be fetched: {error}") from error
            self._loaded = Model.load(self.folder)
        return self._loaded

    def _download(self, version: str) -> None:
        prefix = model_prefix(version)
        for name in self._manifest(prefix):
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(self.bucket, prefix + name, str(target))

    def _manifest(self, prefix: str) -> list[str]:
        body = self.client.get_object(Bucket=self.bucket, Key=prefix + MANIFEST)["Body"].read()
        return msgspec.json.decode(body, type=list[str])
