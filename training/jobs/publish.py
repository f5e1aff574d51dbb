"""Model and lists -> model bucket and table, and the switch."""

from collections.abc import Sequence
from pathlib import Path

import boto3
import msgspec

from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.s3 import S3Archive
from personalization.errors import ModelError
from personalization.ranking import read_metadata
from training.folders import parse_job
from training.lists import read_lists
from training.publishing import Publisher
from training.registry import quality_of
from training.report import read_evaluation


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *model*, *lists* and, if there is one, *report*; write to table and bucket."""
    job = parse_job(argv, "publish", table={"required": True}, model_bucket={"required": True})
    model = job.folders.input("model")
    metadata = read_metadata(model)
    if metadata is None:
        raise ModelError("there is no model to publish")
    table = boto3.client("dynamodb")
    publisher = Publisher(
        models=S3Archive(boto3.client("s3"), job.options.model_bucket),
        lists=DynamoListStore(table, job.options.table),
        users=DynamoProfileStore(table, job.options.table),
        now=job.now,
    )
    lists, quality = read_lists(job.folders.input("lists")), _quality(job.folders.input("report"))
    written = publisher.publish(model, metadata.version, lists, quality)
    (job.folders.output("published") / "published.json").write_bytes(msgspec.json.encode({"lists": written}))
    return 0


def _quality(report: Path) -> bytes | None:
    found = (report / "report.json").exists()
    return msgspec.json.encode(quality_of(read_evaluation(report))) if found else None


if __name__ == "__main__":
    raise SystemExit(main())
