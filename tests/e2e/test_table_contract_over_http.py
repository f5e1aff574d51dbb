"""The table's contract once more, on the local AWS's DynamoDB, over HTTP."""

from collections.abc import Iterator

import pytest

from contracts.conftest import TABLE, DynamoTable, create_table
from contracts.table_contract import TableContract
from infrastructure.local.lifecycle import LocalAws, emulator


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with emulator() as aws:
        yield aws


@pytest.fixture
def table(aws: LocalAws) -> Iterator[DynamoTable]:
    client = aws.client("dynamodb")
    create_table(client)
    yield DynamoTable(client, TABLE)
    client.delete_table(TableName=TABLE)


class TestTableOverHttp(TableContract):
    """Runs with the `table` fixture above."""
