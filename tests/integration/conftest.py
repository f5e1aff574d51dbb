"""A deployed fast loop on moto: table, stream, buckets, queue, secrets, and the handlers wired to them."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from app_config import AppConfig, app_config
from browser import chromium
from contracts.conftest import TABLE, create_table
from infrastructure.definitions import as_json, defaults_as_json, read_definitions

CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="request-1"
)

GUEST_KEY = b"guest-secret-of-the-tests-64-characters-as-the-template-makes-it"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests of a module."""
    with chromium() as running:
        yield running


@dataclass
class Platform:
    """Calls handlers as AWS does."""

    queue_url: str
    app_config: AppConfig
    erasure_queue_url: str = ""

    def request(self, handler: Any, **event: Any) -> tuple[int, dict[str, Any]]:
        response = handler({"headers": {}, **event}, CONTEXT)
        return response["statusCode"], json.loads(response["body"])

    def stream_batch(self) -> dict[str, Any]:
        """Everything in the stream, as one invocation."""
        return {"Records": self.stream_records()}

    def stream_records(self) -> list[dict[str, Any]]:
        """Everything in the stream, as Lambda hands it over."""
        client = boto3.client("kinesis")
        shard = client.list_shards(StreamName="events")["Shards"][0]["ShardId"]
        iterator = client.get_shard_iterator(
            StreamName="events", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        rows = []
        while page := client.get_records(ShardIterator=iterator, Limit=10_000):
            rows += page["Records"]
            iterator = page["NextShardIterator"]
            if not page["Records"]:
                break
        return [
            {
                "eventID": f"{shard}:{row['SequenceNumber']}",
                "kinesis": {
                    "sequenceNumber": row["SequenceNumber"],
                    "partitionKey": row["PartitionKey"],
                    "data": b64encode(row["Data"]).decode(),
                    "approximateArrivalTimestamp": row["ApproximateArrivalTimestamp"].timestamp(),
                },
            }
            for row in rows
        ]

    def queued(self) -> list[dict[str, Any]]:
        return self._messages(self.queue_url)

    def erasures(self) -> list[dict[str, Any]]:
        return self._messages(self.erasure_queue_url)

    def _messages(self, queue_url: str) -> list[dict[str, Any]]:
        messages = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        return [json.loads(row["Body"]) for row in messages.get("Messages", [])]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with deployed(monkeypatch) as found:
        yield found


@contextmanager
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with mock_aws(), laid_out(monkeypatch) as found:
        yield found


@contextmanager
def laid_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Make the platform's resources in the AWS that boto3 reaches, and point the functions at them."""
    with app_config(as_json(read_definitions())) as experiments:
        create_table(boto3.client("dynamodb"))
        boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
        for bucket in ("lake", "models"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        url = boto3.client("sqs").create_queue(QueueName="refreshes")["QueueUrl"]
        erasures = boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"]
        secrets = boto3.client("secretsmanager")
        arns = {
            name: secrets.create_secret(Name=name, SecretString=f"{name}-secret")["ARN"]
            for name in ("user-key", "token")
        }
        arns["guest"] = secrets.create_secret(Name="guest", SecretString=GUEST_KEY.decode())["ARN"]
        settings = {
            "TABLE_NAME": TABLE,
            "STREAM_NAME": "events",
            "LAKE_BUCKET": "lake",
            "QUARANTINE_BUCKET": "lake",
            "MODEL_BUCKET": "models",
            # Machines are shared; what happens when time is short is told in test_outages.py.
            "ANSWER_MILLISECONDS": "10000",
            "CODE_VERSION": "0.1.0+test",
            "FEWEST_USERS": "5",
            "REFRESH_QUEUE_URL": url,
            "ERASURE_QUEUE_URL": erasures,
            "RETENTION": json.dumps({"backups of profiles": 35, "log lines": 90}),
            "USER_KEY_SECRET_ARN": arns["user-key"],
            "CONSENT_DEFAULT": "personalization",
            "TOKEN_SECRET_ARN": arns["token"],
            "GUEST_SECRET_ARN": arns["guest"],
            "ISSUER": "none",
            "AUDIENCE": "none",
            "KEYS_URL": "none",
            "EXPERIMENTS_ADDRESS": "app/test/experiments",
            "DEFAULT_TREATMENTS": defaults_as_json(read_definitions()),
            "AWS_ENDPOINT_URL_APPCONFIGDATA": experiments.url,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield Platform(url, experiments, erasures)
        _forget_clients()


def _forget_clients() -> None:
    """Drop what the functions keep per container."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.startswith("functions.") and name.endswith(".dependencies"):
            _clear(module)


def _clear(module: ModuleType) -> None:
    for value in vars(module).values():
        if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == module.__name__:
            value.cache_clear()
