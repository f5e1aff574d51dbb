"""The drill of docs/runbooks/table-lost.md, by its very commands: restored, brought up to now, in service."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import aws_commands
from contracts.conftest import TABLE
from factories import NOW, event
from infrastructure.constructs.runbooks import FOLDER
from streams.world import World
from training import rebuild

RESTORED = f"{TABLE}-restored"


@pytest.fixture
def world() -> Iterator[World]:
    world = World(seed=5)
    yield world
    world.close()


def act(world: World, first: int, last: int) -> None:
    for number in range(first, last):
        kind = ("click", "impression", "purchase")[number % 3]
        value = {"value": 2.0} if kind == "purchase" else {}
        user = f"user-{number % 5}"
        world.put(event(kind, f"sku-{number % 7}", event_id=f"e-{number}", user_key=user, **value))
    world.settle()


def rows(table: str) -> list[dict[str, Any]]:
    """What a table holds of users, but for the ids of the writes."""
    found = boto3.client("dynamodb").scan(TableName=table)["Items"]
    kept = ("pk", "data", "seen", "credited", "mark", "import_mark")
    return sorted(
        ({name: row[name] for name in kept} for row in found if row["sk"]["S"] == "PROFILE"),
        key=lambda row: row["pk"]["S"],
    )


def damage() -> None:
    table = boto3.client("dynamodb")
    for user, ruined in (("user-0", True), ("user-1", False)):
        key = {"pk": {"S": f"USER#{user}"}, "sk": {"S": "PROFILE"}}
        if ruined:
            table.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression="SET #data = :nothing",
                ExpressionAttributeNames={"#data": "data"},
                ExpressionAttributeValues={":nothing": {"B": b"?"}},
            )
        else:
            table.delete_item(TableName=TABLE, Key=key)


def run(words: list[str]) -> Any:
    if words[:3] == ["python", "-m", "training.rebuild"]:
        return rebuild.main(words[3:])
    return aws_commands.run(words)


def test_the_commands_of_the_page_restore_the_table_and_bring_it_up_to_now(world: World) -> None:
    client = boto3.client("dynamodb")
    secret = boto3.client("secretsmanager").describe_secret(SecretId="token")["ARN"]
    client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    variables = {
        "TABLE": TABLE,
        "RESTORED": RESTORED,
        "LAKE": "lake",
        "TOKEN_SECRET": secret,
        "FROM": NOW.isoformat(),
        "BACKUP": "",
    }
    act(world, 0, 40)
    then = rows(TABLE)
    ran = []
    for place in range(len(aws_commands.commands(FOLDER / "table-lost.md", variables))):
        words = aws_commands.commands(FOLDER / "table-lost.md", variables)[place]
        answer = run(words)
        ran.append(words[2] if words[0] == "aws" else words[-1])
        match ran[-1]:
            case "describe-continuous-backups":
                continue
            case "restore-table-to-point-in-time":
                assert rows(RESTORED) == then
                # From here on the table moves on, and is then damaged.
                act(world, 40, 90)
                now = rows(TABLE)
                assert now != then
                damage()
            case "--apply":
                assert answer == 0
                assert rows(words[words.index("--table") + 1]) == now
            case "create-backup":
                variables["BACKUP"] = answer["BackupDetails"]["BackupArn"]
    assert {"delete-table", "restore-table-from-backup", "list-backups"} <= set(ran)
    assert rows(TABLE) == now
    check_in_service(client)
    act(world, 90, 100)
    assert len(rows(TABLE)) == 5


def check_in_service(client: Any) -> None:
    ttl = client.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = client.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert client.describe_table(TableName=TABLE)["Table"]["DeletionProtectionEnabled"] is True
    assert RESTORED not in client.list_tables()["TableNames"]
