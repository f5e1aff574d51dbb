"""Report, model and model in service -> verdict: whether the model may be published."""

from collections.abc import Sequence

import msgspec

from training.folders import parse_job
from training.gate import facts_of, judge
from training.report import read_evaluation


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *report*, *model* and, if there is one, *champion*; write channel *verdict*."""
    job = parse_job(argv, "gate")
    verdict = judge(
        read_evaluation(job.folders.input("report")),
        facts_of(job.folders.input("model")),
        champion=facts_of(job.folders.input("champion")),
        now=job.now,
    )
    body = {**msgspec.to_builtins(verdict), "reasons": verdict.reasons}
    (job.folders.output("verdict") / "verdict.json").write_bytes(msgspec.json.encode(body))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
