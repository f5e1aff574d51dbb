"""Keeps the model in service with a run, before the run starts: what a run is judged by stays as it was.

Later steps find it among the run's channels, whichever engine runs them, and a step that is done again months
or a publish later finds the same.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import ClientError

from personalization.keys import model_prefix, run_prefix
from personalization.ports import ActiveModel

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MARKER: Final = "champion.json"
"""Written last; tells the version, or that there was none."""


class _Champion(msgspec.Struct):
    version: str | None


def keep_champion(client: "S3Client", *, bucket: str, run_id: str, active: ActiveModel | None) -> str | None:
    """Copy the model in service into channel *champion* of a run, once; return its version.

    Cost: a copy within S3 a file.
    """
    prefix = run_prefix(run_id, "champion")
    known = _known(client, bucket, prefix + _MARKER)
    if known is not None:
        return known.version
    version = rival(active, run_id)
    if version is not None:
        copy_model(client, bucket=bucket, version=version, prefix=prefix)
    client.put_object(Bucket=bucket, Key=prefix + _MARKER, Body=msgspec.json.encode(_Champion(version)))
    return version


def copy_model(client: "S3Client", *, bucket: str, version: str, prefix: str) -> None:
    """Copy the files of a published model, if there is one of this version, below a prefix."""
    source = model_prefix(version)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=source)
    for key in (found["Key"] for page in pages for found in page.get("Contents", [])):
        client.copy_object(
            Bucket=bucket,
            Key=prefix + key.removeprefix(source),
            CopySource={"Bucket": bucket, "Key": key},
        )


def rival(active: ActiveModel | None, run_id: str) -> str | None:
    """Return the version that a run's model has to beat: the one in service, unless it is the run's own.

    >>> rival(ActiveModel("tonight", "yesterday", 0), "tonight")
    'yesterday'
    """
    if active is None:
        return None
    return active.version if active.version != run_id else active.previous


def _known(client: "S3Client", bucket: str, key: str) -> _Champion | None:
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return msgspec.json.decode(body, type=_Champion)
