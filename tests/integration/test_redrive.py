"""Dead letters go back once, whatever they are, and what fails again is kept."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import msgspec
import pytest
from moto import mock_aws
from rich.console import Console

from contracts.conftest import TABLE
from factories import NOW, event
from personalization.events import encode_event
from streams.mapping import FunctionError
from streams.world import World
from training.dead_letters import Edge, Kind, batches
from training.rebuild import lake_objects
from training.redrive import PREFIX, Redrive

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f:live"


class Functions:
    """Lambda's synchronous calls, answered by a handler of this process."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.called: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == FUNCTION
        self.called.append(json.loads(Payload))
        try:
            answer = self._handler(json.loads(Payload))
        except FunctionError as error:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(str(error).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class Deployment:
    """Dead-letter queues of every kind."""

    def __init__(self, handler: Any = lambda _: None) -> None:
        self.sqs = boto3.client("sqs")
        self.functions = Functions(handler)
        self.outputs: dict[str, str] = {}

    def queue(self, name: str) -> str:
        return self.sqs.create_queue(QueueName=name)["QueueUrl"]

    def edge(self, kind: Kind, target: str = "") -> str:
        url = self.queue(f"dead-{kind.replace(' ', '-')}")
        edge = Edge(kind=kind, dead_letters=url, target=target)
        self.outputs[f"{PREFIX}Tried"] = msgspec.json.encode(edge).decode()
        return url

    def redrive(self) -> tuple[int, list[str]]:
        redrive = Redrive(self.outputs, lambda_=self.functions, console=Console(quiet=True))
        result = redrive.apply(redrive.edges["Tried"])
        return result.back, result.reasons

    def put(self, url: str, body: Any) -> None:
        self.sqs.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def left(self, url: str) -> list[str]:
        rows = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [row["Body"] for row in rows.get("Messages", [])]


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def test_messages_go_back_to_their_queue_once(aws: None) -> None:
    deployment = Deployment()
    source = deployment.queue("refreshes")
    dead = deployment.edge(Kind.MESSAGES, source)
    for number in range(12):
        deployment.put(dead, {"user": number})
    assert deployment.redrive() == (12, [])
    assert deployment.left(dead) == []
    assert deployment.redrive() == (0, [])
    attributes = deployment.sqs.get_queue_attributes(
        QueueUrl=source, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "12"


def test_a_function_is_called_with_what_it_did_not_take_however_that_came(aws: None) -> None:
    deployment = Deployment()
    dead = deployment.edge(Kind.CALLS, FUNCTION)
    deployment.put(dead, {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {"a": 1}})
    deployment.put(dead, {"experiment": "home-ranking"})
    deployment.put(dead, "no json")
    assert deployment.redrive() == (3, [])
    assert sorted(map(str, deployment.functions.called)) == [
        "{'a': 1}",
        "{'experiment': 'home-ranking'}",
        "{}",
    ]


def test_what_fails_again_is_kept_with_the_reason_and_can_be_tried_at_once(aws: None) -> None:
    def fails(_: Any) -> None:
        raise FunctionError("out of order")

    deployment = Deployment(fails)
    dead = deployment.edge(Kind.CALLS, FUNCTION)
    deployment.put(dead, {"a": 1})
    for _ in range(2):
        assert deployment.redrive() == (0, ["the function failed again: out of order"])
    assert deployment.left(dead) == ['{"a": 1}']


def test_a_batch_that_is_taken_in_part_is_kept(aws: None) -> None:
    deployment = Deployment(lambda _: {"batchItemFailures": [{"itemIdentifier": "7"}]})
    dead = deployment.edge(Kind.CALLS, FUNCTION)
    deployment.put(dead, {"a": 1})
    assert deployment.redrive() == (0, ["the function took a part only; run again"])


def test_one_run_starts_for_all_that_were_missed_and_only_once(aws: None) -> None:
    stepfunctions = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "end", "States": {"end": {"Type": "Succeed"}}})
    machine = stepfunctions.create_state_machine(
        name="night", definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
    )["stateMachineArn"]
    deployment = Deployment()
    dead = deployment.edge(Kind.RUN, machine)
    for _ in range(3):
        deployment.put(dead, {})
    assert deployment.redrive() == (3, [])
    assert len(stepfunctions.list_executions(stateMachineArn=machine)["executions"]) == 1
    assert deployment.redrive() == (0, [])


def test_what_somebody_has_to_decide_stays_where_it_is(aws: None) -> None:
    deployment = Deployment()
    dead = deployment.edge(Kind.BY_HAND)
    deployment.put(dead, {"detail": {"alarmName": "ClickRateAlone"}})
    assert deployment.redrive() == (0, ["somebody has to decide"])
    assert len(deployment.left(dead)) == 1


class Stream:
    """A stream of moto's with a batch in it, and the message of a mapping that gave it up."""

    def __init__(self, records: list[tuple[str, bytes]]) -> None:
        self.client = boto3.client("kinesis")
        name = f"stream-{uuid4().hex[:8]}"
        self.client.create_stream(StreamName=name, ShardCount=1)
        self.arn = self.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        self.numbers = [
            self.client.put_record(StreamARN=self.arn, Data=data, PartitionKey=key)["SequenceNumber"]
            for key, data in records
        ]

    def given_up(self, first: int, last: int) -> dict[str, Any]:
        """https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html shows it."""
        return {
            "requestContext": {"condition": "RetryAttemptsExhausted", "functionArn": FUNCTION},
            "version": "1.0",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": self.numbers[first],
                "endSequenceNumber": self.numbers[last],
                "batchSize": last - first + 1,
                "streamArn": self.arn,
            },
        }


def test_the_records_of_a_failed_batch_are_read_again_and_reach_the_lake(aws: None) -> None:
    boto3.client("s3").create_bucket(Bucket="lake")
    events = [event("click", "a", event_id=f"e-{n}", user_key=f"user-{n}") for n in range(9)]
    stream = Stream([(row.user_key, encode_event(row)) for row in events])
    deployment = Deployment(archived)
    dead = deployment.edge(Kind.RECORDS, FUNCTION)
    deployment.put(dead, stream.given_up(2, 6))
    assert deployment.redrive() == (1, [])
    assert deployment.redrive() == (0, [])
    assert in_the_lake() == {f"e-{n}" for n in range(2, 7)}


def archived(event: dict[str, Any]) -> dict[str, Any]:
    from personalization.adapters.kinesis import stream_records
    from personalization.adapters.s3 import S3Archive
    from personalization.archiving import archive

    archive(stream_records(event), epoch=1, lake=S3Archive(boto3.client("s3"), "lake"))
    return {"batchItemFailures": []}


def in_the_lake() -> set[str]:
    import gzip

    bodies = [gzip.decompress(body) for _, body in lake_objects(boto3.client("s3"), "lake")]
    return {json.loads(line)["event"]["event_id"] for body in bodies for line in body.splitlines()}


def test_a_batch_that_the_stream_has_forgotten_stays_and_says_so(aws: None) -> None:
    stream = Stream([("user", b"{}")])
    deployment = Deployment()
    dead = deployment.edge(Kind.RECORDS, FUNCTION)
    gone = stream.given_up(0, 0)
    gone["KinesisBatchInfo"]["shardId"] = "shardId-000000000009"
    for body in (gone, {"no": "batch"}):
        deployment.put(dead, body)
    back, reasons = deployment.redrive()
    assert back == 0
    assert sorted(reasons) == ["it names no records of a stream", "the stream has forgotten its records"]


def test_a_batch_too_large_for_one_call_is_cut() -> None:
    rows = [{"kinesis": {"data": "x" * 1_400_000}} for _ in range(7)]
    cut = list(batches(rows))
    assert [len(batch["Records"]) for batch in cut] == [2, 2, 2, 1]
    assert [row for batch in cut for row in batch["Records"]] == rows


@pytest.fixture
def world() -> Iterator[World]:
    world = World(seed=3)
    yield world
    world.close()


def test_profiles_that_a_given_up_batch_left_behind_are_as_if_it_had_been_applied(world: World) -> None:
    """The users moved on meanwhile: their marks are past the lost records, which are dropped as replays."""
    everybody = [f"user-{number}" for number in range(6)]
    for user in everybody:
        world.put(event("click", "a", event_id=f"{user}-1", user_key=user))
    lost = [(record.key, record.data) for shard in world.stream.shards for record in shard.records]
    give_up(world)
    for user in everybody:
        world.put(event("purchase", "b", event_id=f"{user}-2", user_key=user, value=2.0))
    world.settle()
    expected, stored = world.sent.profiles({}), profiles()
    assert stored.keys() == expected.keys()
    assert stored != expected

    stream = Stream(lost)
    deployment = Deployment()
    secret = boto3.client("secretsmanager").create_secret(Name="redrive", SecretString="secret")["ARN"]
    deployment.outputs |= {"LakeBucketName": "lake", "TableName": TABLE, "TokenSecretArn": secret}
    dead = deployment.edge(Kind.PROFILES)
    deployment.put(dead, stream.given_up(0, 2))
    deployment.put(dead, stream.given_up(3, 5))
    assert deployment.redrive() == (2, [])
    assert profiles() == expected
    assert deployment.redrive() == (0, [])
    assert profiles() == expected


def test_without_its_records_a_given_up_batch_has_all_profiles_compared(world: World) -> None:
    for number in range(4):
        world.put(event("click", "a", event_id=f"e-{number}", user_key=f"user-{number}"))
    give_up(world)
    world.settle()
    deployment = Deployment()
    secret = boto3.client("secretsmanager").create_secret(Name="redrive", SecretString="secret")["ARN"]
    deployment.outputs |= {"LakeBucketName": "lake", "TableName": TABLE, "TokenSecretArn": secret}
    dead = deployment.edge(Kind.PROFILES)
    deployment.put(dead, {"requestContext": {}})
    assert deployment.redrive() == (1, [])
    assert profiles() == world.sent.profiles({})


def give_up(world: World) -> None:
    """Let the consumer of profiles find its records too old, and that of the lake take them."""
    for mapping in world.mappings:
        if mapping is world.profiles:
            world.now += timedelta(hours=7)
        mapping.drain()
        world.now = NOW
    assert world.profiles.dropped
    world.profiles.dropped.clear()


def profiles() -> dict[str, bytes]:
    from personalization.adapters.dynamodb import DynamoProfileStore
    from personalization.profile_encoding import encode

    found = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    users = sorted(row["pk"]["S"].removeprefix("USER#") for row in found if row["sk"]["S"] == "PROFILE")
    states = DynamoProfileStore(boto3.client("dynamodb"), TABLE).load(users)
    return {user: encode(state.profile) for user, state in states.items()}
