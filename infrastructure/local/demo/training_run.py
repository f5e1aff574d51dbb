"""Starts the training state machine and follows it to its end."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.local.lifecycle import LocalAws
from personalization.keys import run_prefix

_POLL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 600.0
Json = dict[str, Any]


class TrainingError(RuntimeError):
    """The state machine did not succeed."""


@dataclass(frozen=True)
class TrainingRun:
    """What a run left: its evaluation's report, the held-out item of each user key, the gate's verdict.

    A run whose data did not stand its checks has neither. `soundness` is what those checks said, `fetched`
    what was read of the lake.
    """

    run_id: str
    report: Json
    held_out: Mapping[str, str]
    verdict: Json
    soundness: Json
    fetched: Json


def run_training(
    aws: LocalAws, report: Callable[[str], None], *, settings: Mapping[str, object] | None = None
) -> TrainingRun:
    """Run the state machine once; `report` hears of each state.

    Parameters
    ----------
    settings
        The execution's input, such as `{"hyperparameters": {"trees": 1}}`.

    Raises
    ------
    TrainingError
        The run failed or took longer than 10 minutes; the message holds the cause.
    """
    client = aws.client("stepfunctions")
    arn = client.start_execution(
        stateMachineArn=aws.output("StateMachineArn"), input=json.dumps(settings or {})
    )["executionArn"]
    seen: set[str] = set()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for state in _entered(client, arn):
            if state not in seen:
                seen.add(state)
                report(state)
        status = client.describe_execution(executionArn=arn)
        if status["status"] == "SUCCEEDED":
            return _result(aws, status["name"], json.loads(status["output"])["prepare"])
        if status["status"] != "RUNNING":
            raise TrainingError(f"{status['status']}: {status.get('error')}: {status.get('cause')}")
        time.sleep(_POLL_SECONDS)
    raise TrainingError(f"the run still goes on after {_PATIENCE_SECONDS:.0f} s")


def _entered(client: Any, arn: str) -> list[str]:
    events = client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return [
        event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
    ]


def _result(aws: LocalAws, run_id: str, prepared: Json) -> TrainingRun:
    client, bucket = aws.client("s3"), aws.output("ModelBucketName")

    def read(channel: str, name: str) -> Json:
        body = client.get_object(Bucket=bucket, Key=run_prefix(run_id, channel) + name)["Body"]
        content: Json = json.loads(body.read())
        return content

    soundness, fetched = read("dataset", "soundness.json"), prepared["fetched"]
    if not soundness["train"]:
        return TrainingRun(run_id, {}, {}, {"publish": False, "checks": []}, soundness, fetched)
    return TrainingRun(
        run_id,
        read("report", "report.json"),
        read("report", "held_out.json"),
        read("verdict", "verdict.json"),
        soundness,
        fetched,
    )
