"""Permissions on data, action by action: what a function's ports do, and nothing else."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from infrastructure.suppressions import acknowledge_objects

USERS: Final = "USER#*"
SEGMENTS: Final = "SEGMENT#*"
ITEMS: Final = "ITEM#*"
CATALOG: Final = "CATALOG"
MODEL: Final = "MODEL"
EXPERIMENTS: Final = "EXPERIMENT#*"
ANALYZED: Final = "EXPERIMENTS"
"""Partition keys of the table, as `personalization.keys` makes them; recorded calls hold the two together."""

Worker = lambda_.Function | iam.Role
"""Who is allowed something: a function, or the role of a job."""


def allow(worker: Worker, statement: iam.PolicyStatement) -> None:
    """Add a statement to a worker's policy."""
    if isinstance(worker, lambda_.Function):
        worker.add_to_role_policy(statement)
    else:
        worker.add_to_policy(statement)


def grant_items(table: dynamodb.ITable, worker: Worker, *actions: str, keys: Sequence[str]) -> None:
    """Allow DynamoDB `actions`, as "BatchGetItem", on the items whose partition keys are like `keys`."""
    allow(
        worker,
        iam.PolicyStatement(
            actions=[f"dynamodb:{action}" for action in actions],
            resources=[table.table_arn],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}},
        ),
    )


def grant_send(queue: sqs.IQueue, function: lambda_.Function) -> None:
    """Allow sending to the queue."""
    function.add_to_role_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn]))


def grant_secret(secret: secretsmanager.ISecret, function: lambda_.Function) -> None:
    """Allow reading the secret's value."""
    function.add_to_role_policy(
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn])
    )


def grant_objects(bucket: s3.IBucket, prefix: str, worker: Worker, *actions: str) -> None:
    """Allow S3 object `actions`, as "GetObject", on the keys that begin with `prefix`."""
    allow(
        worker,
        iam.PolicyStatement(
            actions=[f"s3:{action}" for action in actions],
            resources=[bucket.arn_for_objects(f"{prefix}*")],
        ),
    )
    acknowledge_objects(worker.role if isinstance(worker, lambda_.Function) else worker, bucket, prefix)


def grant_listing(bucket: s3.IBucket, worker: Worker, *, prefix: str | None = None) -> None:
    """Allow listing the bucket's keys, or those that begin with `prefix`."""
    allow(
        worker,
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": f"{prefix}*"}} if prefix else None,
        ),
    )
