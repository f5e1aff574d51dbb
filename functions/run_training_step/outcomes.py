"""What a step tells the state machine and CloudWatch, read from the files it left."""

from pathlib import Path
from typing import Any

import msgspec

from personalization.names import Metric
from personalization.runtime.observability import count, number

Json = dict[str, Any]


def outcome(step: str, root: Path, *, shard_count: int) -> Json:
    """Return the small JSON that the next states need, and count what on-call watches."""
    answer: Json = {"step": step}
    if step == "prepare":
        answer["shards"] = list(range(shard_count))
    elif step == "soundness":
        soundness = _read(root / "processing" / "input" / "dataset" / "soundness.json")
        answer |= {"train": soundness["train"], "reasons": soundness["reasons"]}
        count(Metric.NIGHTS_STOPPED, int(not soundness["train"]))
    elif step == "gate":
        report = _read(root / "processing" / "input" / "report" / "report.json")
        quality = report["evaluation"]["methods"]["model"]
        number(Metric.MODEL_NDCG, quality["ndcg"]["10"])
        number(Metric.CATALOG_COVERAGE, quality["coverage"])
        verdict = _read(root / "processing" / "output" / "verdict" / "verdict.json")
        answer |= {"publish": verdict["publish"], "reasons": verdict["reasons"]}
        count(Metric.MODELS_REFUSED, int(not verdict["publish"]))
    elif step in ("publish", "announce"):
        published = _read(root / "processing" / "output" / "published" / "published.json")
        count(Metric.LISTS_PUBLISHED, published["lists"])
    return answer


def _read(path: Path) -> Json:
    return msgspec.json.decode(path.read_bytes(), type=Json)
