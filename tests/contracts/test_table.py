"""The table's contract, on memory and on moto."""

from datetime import timedelta

import boto3
from moto import mock_aws

from contracts.conftest import TABLE, DynamoTable, create_table
from contracts.table_contract import TableContract
from factories import NOW, listed
from personalization import keys
from personalization.profiles import at_seconds
from personalization.refreshing import LIST_LIFETIME


class TestTable(TableContract):
    """Runs with the `table` fixture of this folder."""


def test_every_record_about_a_person_says_when_it_expires() -> None:
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client)
        table = DynamoTable(client, TABLE)
        table.save("u", table.load(["u"])["u"], version="w1", now=NOW)
        later = at_seconds(NOW + LIST_LIFETIME)
        table.write_list(keys.list_key("u", surface="home", version="v1"), listed("sku-1"), expires_at=later)
        rows = {row["sk"]["S"]: int(row["expires_at"]["N"]) for row in client.scan(TableName=TABLE)["Items"]}
    assert rows == {"PROFILE": at_seconds(NOW + timedelta(days=395)), "LIST#home#lightgbm#v1": later}
