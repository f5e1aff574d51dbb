"""Both sides of each port: the fake in memory, and the adapter on moto's DynamoDB."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from personalization.adapters.dynamodb import (
    DynamoCatalog,
    DynamoExperimentStore,
    DynamoListStore,
    DynamoProfileStore,
)
from personalization.adapters.memory import MemoryTable

TABLE = "table"


def create_table(client) -> None:
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


class DynamoTable(DynamoProfileStore, DynamoListStore, DynamoCatalog, DynamoExperimentStore):
    """The four table ports on one table, as `MemoryTable` is."""


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Iterator[MemoryTable | DynamoTable]:
    if request.param == "memory":
        yield MemoryTable()
        return
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client)
        yield DynamoTable(client, TABLE)
