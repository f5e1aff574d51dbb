"""Where data is retained: dead letters go back by one command, and a destroyed deployment loses nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from typing import Any

import pytest

from e2e.waiting import eventually
from factories import client_event
from infrastructure.local import deploy
from infrastructure.local.demo.client import ApiClient
from infrastructure.local.layout import ROOT
from infrastructure.local.lifecycle import LocalAws, emulator
from training.redrive import PREFIX

STACK = "attune-kept"
SHARD = "shardId-000000000000"
APP = """
from dataclasses import replace
from aws_cdk import App
from infrastructure.app import define
from infrastructure.environments import LOCAL
app = App()
define(app, replace(LOCAL, name="kept", retain_data=True))
app.synth()
"""


@dataclass
class Deployment:
    aws: LocalAws
    app: str

    def cdk(self, *arguments: str) -> None:
        deploy._run([*arguments, "--app", self.app], self.aws.layout)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=environ | self.aws.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def redrive(self, *options: str) -> dict[str, list[str]]:
        """The table that the command prints, by edge."""
        shown = self.command("training.redrive", "--stack", STACK, *options)
        rows = [
            [cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line
        ]
        return {row[0]: row[1:] for row in rows if row[0]}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    script = tmp_path_factory.mktemp("app") / "app.py"
    script.write_text(APP)
    with emulator() as aws:
        deploy.bootstrap(aws.layout)
        deployment = Deployment(aws, f"PYTHONPATH={ROOT} {sys.executable} {script}")
        outputs = script.with_name("outputs.json")
        deployment.cdk(
            "deploy", "--all", "--require-approval", "never", "--method", "direct", "--concurrency", "4",
            "--output", str(script.with_name("assembly")), "--outputs-file", str(outputs),
        )  # fmt: skip
        deployment.aws = LocalAws(aws.layout, json.loads(outputs.read_text()))
        yield deployment


def keys_of_lake(aws: LocalAws) -> set[str]:
    listed = aws.client("s3").list_objects_v2(Bucket=aws.output("LakeBucketName"), Prefix="events/")
    return {row["Key"] for row in listed.get("Contents", [])}


def profiles(aws: LocalAws) -> list[Any]:
    found = aws.client("dynamodb").scan(TableName=aws.output("TableName"))["Items"]
    return [row["data"] for row in found if row["sk"]["S"] == "PROFILE"]


def test_dead_letters_of_every_kind_go_back_once(kept: Deployment) -> None:
    aws = kept.aws
    now = datetime.now(UTC).isoformat()
    ApiClient(aws.api_url).send([client_event("click", occurred_at=now)])
    eventually(lambda: keys_of_lake(aws) and profiles(aws))
    lost_object, lost_profile = keys_of_lake(aws), profiles(aws)
    (key,) = lost_object
    aws.client("s3").delete_object(Bucket=aws.output("LakeBucketName"), Key=key)
    batch = given_up(aws)
    plant(aws, "ArchiveBatchesFailed", batch)
    plant(aws, "RefreshDeadLetters", {"user_key": "u", "surface": "home"})
    plant(aws, "AnalysesFailed", {"requestPayload": {}})
    plant(aws, "TrainingStartsMissed", {})
    plant(aws, "ExposureDeliveriesFailed", {"requestPayload": {"awslogs": {"data": "no delivery"}}})
    listed = kept.redrive()
    assert {name: row[0] for name, row in listed.items() if row[0] == "1"}.keys() == {
        "ArchiveBatchesFailed",
        "RefreshDeadLetters",
        "AnalysesFailed",
        "TrainingStartsMissed",
        "ExposureDeliveriesFailed",
    }
    assert keys_of_lake(aws) == set()
    for name in ("ArchiveBatchesFailed", "RefreshDeadLetters", "AnalysesFailed", "TrainingStartsMissed"):
        assert kept.redrive("--only", name, "--apply")[name][2] == "1", name
        assert kept.redrive("--only", name)[name][0] == "0", name
    assert keys_of_lake(aws) == lost_object
    machine = aws.output("StateMachineArn")
    assert len(aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]) == 1
    plant(aws, "ProfileBatchesFailed", batch)
    table = aws.client("dynamodb")
    (row,) = [
        row for row in table.scan(TableName=aws.output("TableName"))["Items"] if row["sk"]["S"] == "PROFILE"
    ]
    table.delete_item(TableName=aws.output("TableName"), Key={"pk": row["pk"], "sk": row["sk"]})
    assert kept.redrive("--only", "ProfileBatchesFailed", "--apply")["ProfileBatchesFailed"][2] == "1"
    assert profiles(aws) == lost_profile


def given_up(aws: LocalAws) -> dict[str, Any]:
    """What a mapping says of a batch with all that is in the stream."""
    client, name = aws.client("kinesis"), aws.output("StreamName")
    iterator = client.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    numbers = [row["SequenceNumber"] for row in client.get_records(**_only_iterator(iterator))["Records"]]
    arn = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return {
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "batchSize": len(numbers),
            "streamArn": arn,
        }
    }


def _only_iterator(answer: Any) -> dict[str, str]:
    return {"ShardIterator": answer["ShardIterator"]}


def plant(aws: LocalAws, edge: str, body: dict[str, Any]) -> None:
    url = json.loads(aws.output(f"{PREFIX}{edge}"))["dead_letters"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))


def test_destroying_the_deployment_keeps_table_and_buckets_with_what_they_hold(kept: Deployment) -> None:
    aws = kept.aws
    before, objects = profiles(aws), keys_of_lake(aws)
    assert before
    assert objects
    with pytest.raises(deploy.DeployError, match=r"(?i)termination ?protection"):
        kept.cdk("destroy", "--all", "--force")
    client = aws.client("cloudformation")
    for stack in aws.stacks:
        client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    kept.cdk("destroy", "--all", "--force")
    left = {row["StackName"] for row in client.describe_stacks()["Stacks"]}
    assert not {name for name in left if name.startswith(STACK)}
    assert profiles(aws) == before
    assert keys_of_lake(aws) == objects
    for name in ("LakeBucketName", "ModelBucketName"):
        aws.client("s3").head_bucket(Bucket=aws.output(name))
    described = aws.client("dynamodb").describe_table(TableName=aws.output("TableName"))["Table"]
    assert described["DeletionProtectionEnabled"] is True
    aws.client("kinesis").describe_stream_summary(StreamName=aws.output("StreamName"))
    aws.client("secretsmanager").get_secret_value(SecretId=aws.output("UserKeySecretArn"))
