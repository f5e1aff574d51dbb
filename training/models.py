"""Lists the published models: which is in service, which was before, and what each is like.

``python -m training.models --bucket B --table T``
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3
from rich.console import Console
from rich.table import Column, Table

from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.s3 import S3Archive
from personalization.keys import ACTIVE_MODEL, MODELS
from personalization.registry import Version, versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 0, or 1 if nothing is published."""
    parser = argparse.ArgumentParser(prog="python -m training.models", description=__doc__)
    parser.add_argument("--bucket", required=True, help="the model bucket")
    parser.add_argument("--table", required=True)
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    client = boto3.client("s3")
    active = DynamoListStore(boto3.client("dynamodb"), options.table).read([ACTIVE_MODEL]).active
    found = versions(names(client, options.bucket), S3Archive(client, options.bucket), active)
    if not found:
        console.print("no model is published yet; run the training state machine first", style="red")
        return 1
    console.print(shown(found))
    return 0


def names(client: "S3Client", bucket: str) -> list[str]:
    """Name the versions in the bucket. Cost: a call for 1,000 of them."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=MODELS, Delimiter="/")
    prefixes = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
    return [prefix.removeprefix(MODELS).rstrip("/") for prefix in prefixes]


def shown(found: Sequence[Version]) -> Table:
    """Lay the versions out, one a row."""
    heads = ("version", "", "trained at", "data until", "events", "features", "NDCG@10", "code")
    # A narrow terminal breaks the ids, which are to be copied, rather than cutting them.
    table = Table(*(Column(head, overflow="fold") for head in heads))
    for version in found:
        metadata = version.metadata
        table.add_row(
            metadata.version,
            f"[green]{version.state}" if version.state == "in service" else version.state,
            f"{metadata.trained_at:%Y-%m-%d %H:%M}",
            f"{metadata.data_to:%Y-%m-%d %H:%M}" if metadata.data_to else "",
            f"{metadata.events:,}",
            str(len(metadata.features)),
            "" if version.ndcg is None else f"{version.ndcg:.4f}",
            metadata.code_version,
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
