"""What ended in dead-letter queues, and how it goes back once its cause is mended; by default only a list.

``python -m training.redrive --stack attune-prod [--only RefreshDeadLetters] [--apply]``

Reads from the stacks' outputs which queues there are and what lies in them (`training.dead_letters`). What
fails again stays. Idempotent: a second run finds nothing, and what was sent twice has one effect.

Cost: three calls a message; for failed batches of `update_profiles` one reading of the lake.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from training import dead_letters
from training.dead_letters import Edge, Kind, Message, Stays
from training.rebuild import lake_objects, rebuild, token_keys, wrong

PREFIX: Final = "Redrive"
"""Of the outputs that describe an edge."""
_MEANING: Final = {
    Kind.MESSAGES: "send back to the queue",
    Kind.CALLS: "call the function again",
    Kind.RECORDS: "read the records again, and call the function with them",
    Kind.PROFILES: "make the users' profiles anew from the lake",
    Kind.RUN: "start one run",
    Kind.BY_HAND: "look, then decide: docs/runbooks/rollback-failed.md",
}


@dataclass
class Result:
    """What became of an edge's messages."""

    back: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the others stay."""


class Redrive:
    """The asynchronous steps of one deployment.

    Attributes
    ----------
    edges
        By name, as the stacks' outputs describe them.
    """

    def __init__(self, outputs: Mapping[str, str], *, lambda_: Any, console: Console) -> None:
        self._sqs = boto3.client("sqs")
        self._kinesis = boto3.client("kinesis")
        self._lambda = lambda_
        self._stepfunctions = boto3.client("stepfunctions")
        self._outputs = outputs
        self._console = console
        self.edges = {
            key.removeprefix(PREFIX): msgspec.json.decode(value, type=Edge)
            for key, value in sorted(outputs.items())
            if key.startswith(PREFIX)
        }

    def waiting(self, edge: Edge) -> int:
        """Count an edge's dead letters, about."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=edge.dead_letters, AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    def apply(self, edge: Edge) -> Result:
        """Send back what can go."""
        result = Result()
        if edge.kind is Kind.BY_HAND:
            result.reasons = ["somebody has to decide"] * self.waiting(edge)
            return result
        messages = list(dead_letters.take(self._sqs, edge.dead_letters))
        for group in _groups(edge.kind, messages):
            try:
                self._way(edge)(group)
            except (Stays, ClientError) as error:
                result.reasons += [str(error)] * len(group)
                for message in group:
                    self._sqs.change_message_visibility(
                        QueueUrl=edge.dead_letters, ReceiptHandle=message.receipt, VisibilityTimeout=0
                    )
                continue
            for message in group:
                self._sqs.delete_message(QueueUrl=edge.dead_letters, ReceiptHandle=message.receipt)
            result.back += len(group)
        return result

    def _way(self, edge: Edge) -> Callable[[Sequence[Message]], None]:
        """Return how a group of an edge's messages goes back."""
        ways: Mapping[Kind, Callable[[Sequence[Message]], None]] = {
            Kind.MESSAGES: lambda group: dead_letters.send_back(self._sqs, edge.target, group[0]),
            Kind.CALLS: lambda group: dead_letters.call(self._lambda, edge.target, group[0].event),
            Kind.RECORDS: lambda group: self._call_with_records(edge.target, group[0]),
            Kind.PROFILES: lambda group: dead_letters.mend(self._kinesis, self._rebuild, group),
            Kind.RUN: lambda group: dead_letters.start(self._stepfunctions, edge.target, group),
        }
        return ways[edge.kind]

    def _call_with_records(self, function: str, message: Message) -> None:
        for batch in dead_letters.batches(dead_letters.records(self._kinesis, message)):
            dead_letters.call(self._lambda, function, batch)

    def _rebuild(self, users: frozenset[str] | None) -> bool:
        data, objects, table = self._outputs, boto3.client("s3"), boto3.client("dynamodb")
        outcomes = rebuild(
            lake_objects(objects, data["LakeBucketName"]),
            DynamoProfileStore(table, data["TableName"]),
            DynamoListStore(table, data["TableName"]),
            erased=S3Erasures(objects, data["LakeBucketName"]).tombstones(),
            token_secret=token_keys(data["TokenSecretArn"]),
            now=datetime.now(UTC),
            new_id=lambda: uuid4().hex,
            apply_changes=True,
            console=self._console,
            users=users,
        )
        return not outcomes["ahead"] and wrong(outcomes) == outcomes["written"]


def outputs_of(stack: str) -> Mapping[str, str]:
    """Read what the stacks of a deployment say of themselves."""
    client = boto3.client("cloudformation")
    found: dict[str, str] = {}
    for part in ("data", "observability"):
        described = client.describe_stacks(StackName=f"{stack}-{part}")["Stacks"][0]
        found |= {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", [])}
    return found


def _groups(kind: Kind, messages: Sequence[Message]) -> list[list[Message]]:
    """Return what goes back at once: all, where one reading of the lake or one run does for all."""
    if kind in (Kind.PROFILES, Kind.RUN):
        return [list(messages)] if messages else []
    return [[message] for message in messages]


def main(argv: Sequence[str] | None = None) -> int:
    """Print what waits, and with ``--apply`` send back what can go; returns 1 if some of that stays."""
    parser = argparse.ArgumentParser(prog="python -m training.redrive", description=__doc__)
    parser.add_argument("--stack", required=True, help="what the names of the stacks begin with: attune-prod")
    parser.add_argument("--only", help="one edge, by the name that the table shows")
    parser.add_argument("--apply", action="store_true", help="send back what can go")
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    # A call waits as long as a function may run, and is not repeated.
    patient = Config(read_timeout=dead_letters.HIDDEN_SECONDS, retries={"total_max_attempts": 1})
    lambda_ = boto3.client("lambda", config=patient)
    redrive = Redrive(outputs_of(options.stack), lambda_=lambda_, console=console)
    if options.only is not None and options.only not in redrive.edges:
        parser.error(f"there is no {options.only}; choose one of {', '.join(redrive.edges)}")
    chosen = {name: edge for name, edge in redrive.edges.items() if options.only in (None, name)}
    table = Table("edge", "dead letters", "what to do", title="dead letters")
    if options.apply:
        table.add_column("went back")
        table.add_column("stay")
    stay = 0
    for name, edge in chosen.items():
        row = [name, f"{redrive.waiting(edge):,}", _MEANING[edge.kind]]
        if options.apply:
            result = redrive.apply(edge)
            stay += len(result.reasons)
            row += [f"{result.back:,}", "; ".join(sorted(set(result.reasons))) or "-"]
        table.add_row(*row)
    console.print(table)
    if not options.apply:
        console.print("Nothing was touched; --apply sends back what can go")
    return 1 if stay else 0


if __name__ == "__main__":
    raise SystemExit(main())
