"""The comparison of calls and roles finds what is missing and what is unneeded."""

import pytest

from privileges.actions import Need, needs
from privileges.comparison import reason_of
from privileges.policies import Permission


def test_a_copy_reads_its_source_and_writes_its_target() -> None:
    source = {"Bucket": "a", "Key": "models/v1/x"}
    found = needs("s3", "CopyObject", {"Bucket": "b", "Key": "runs/r/x", "CopySource": source})
    assert list(found) == [
        Need("s3:GetObject", "a", frozenset({"models/"})),
        Need("s3:PutObject", "b", frozenset({"runs/"})),
    ]


def test_a_transaction_takes_what_its_writes_take() -> None:
    puts = [{"Put": {"TableName": "table", "Item": {"pk": {"S": key}}}} for key in ("USER#ann", "USER#v")]
    found = needs("dynamodb", "TransactWriteItems", {"TransactItems": puts})
    assert list(found) == [Need("dynamodb:PutItem", "table", frozenset({"USER#"}))] * 2


def test_a_query_takes_the_partition_it_reads() -> None:
    asked = {
        "TableName": "table",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "USER#ann"}},
    }
    assert list(needs("dynamodb", "Query", asked)) == [Need("dynamodb:Query", "table", frozenset({"USER#"}))]


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        (("dynamodb:PutItem", "table", "MODEL"), True),
        (("dynamodb:PutItem", "table", "USER#"), False),
        (("dynamodb:PutItem", "table", None), False),
        (("dynamodb:PutItem", "other", "MODEL"), False),
        (("dynamodb:DeleteItem", "table", "MODEL"), False),
    ],
)
def test_action_resource_and_key_have_to_fit(call: tuple[str, str, str | None], allowed: bool) -> None:
    assert Permission("dynamodb:PutItem", "table", "MODEL").allows(*call) is allowed


def test_only_what_stands_in_the_table_is_allowed_without_a_call() -> None:
    assert reason_of("put_items", Permission("xray:PutTraceSegments", "*", None))
    assert reason_of("put_items", Permission("s3:GetObject", "lake/events/*", None)) is None
    assert reason_of("put_items", Permission("sqs:SendMessage", "*", None)) is None
