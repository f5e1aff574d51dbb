"""What must outlive a deployment: the table, the buckets, the stream, the secrets, the refresh queue."""

from typing import Final

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.constructs.analytics import ANSWERS
from infrastructure.constructs.data_key import DataKey
from infrastructure.constructs.operators import Operators
from infrastructure.constructs.private_bucket import PrivateBucket
from infrastructure.constructs.queues import WorkQueue
from infrastructure.fields import Access, Environment, SageMakerEngine
from infrastructure.stacks.base import AttuneStack
from infrastructure.suppressions import acknowledge

REFRESH_TIMEOUT: Final = Duration.minutes(1)
"""How long `refresh_recommendations` may take; the queue hides a message for a multiple of it."""

SNAPSHOTS_LIVE: Final = Duration.days(14)
"""The stream keeps records for 7 days at most: so late may an object come, and void the snapshots since."""


class DataStack(AttuneStack):
    """All state; the other stacks hold none."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment) -> None:
        super().__init__(scope, part, environment=environment)
        self._removal = RemovalPolicy.RETAIN if environment.retain_data else RemovalPolicy.DESTROY
        self.key = (
            DataKey(self, "Key", removal_policy=self._removal, volumes=self._has_volumes())
            if environment.customer_managed_key
            else None
        )
        self.table = self._table()
        self.lake = PrivateBucket(self, "Lake", key=self.key, removal_policy=self._removal)
        self.lake.add_lifecycle_rule(prefix=ANSWERS, expiration=Duration.days(30))
        self.models = self._models()
        self.stream = self._stream()
        self.user_key_secret = self._secret("UserKeySecret", "Turns user ids into user keys; never rotates")
        self.token_secret = self._secret("TokenSecret", "Signs recommendation ids")
        self.refresh_queue = WorkQueue(
            self,
            "RefreshQueue",
            key=self.key,
            consumer_timeout=REFRESH_TIMEOUT,
            retention=Duration.hours(4),
        )
        self.erasure_queue = WorkQueue(
            self,
            "ErasureQueue",
            key=self.key,
            consumer_timeout=Duration.minutes(15),
            retention=Duration.days(14),
        )
        self.operators = (
            None
            if environment.access is Access.OPEN
            else Operators(self, "Operators", environment=environment, removal_policy=self._removal)
        )
        self._outputs()

    def _has_volumes(self) -> bool:
        return isinstance(self.settings.training.engine, SageMakerEngine)

    def _table(self) -> dynamodb.Table:
        encryption = dynamodb.TableEncryption
        return dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires_at",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=encryption.CUSTOMER_MANAGED if self.key else encryption.DEFAULT,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=self.settings.point_in_time_recovery
            ),
            deletion_protection=self.settings.retain_data,
            removal_policy=self._removal,
        )

    def _models(self) -> PrivateBucket:
        bucket = PrivateBucket(self, "Models", key=self.key, removal_policy=self._removal)
        bucket.add_lifecycle_rule(prefix="runs/", expiration=Duration.days(30))
        bucket.add_lifecycle_rule(prefix="snapshots/", expiration=SNAPSHOTS_LIVE)
        return bucket

    def _stream(self) -> kinesis.Stream:
        capacity = self.settings.stream
        stream = kinesis.Stream(
            self,
            "Stream",
            stream_mode=kinesis.StreamMode.PROVISIONED if capacity.shards else kinesis.StreamMode.ON_DEMAND,
            shard_count=capacity.shards,
            retention_period=Duration.hours(capacity.retention_hours),
            encryption=kinesis.StreamEncryption.KMS if self.key else kinesis.StreamEncryption.MANAGED,
            encryption_key=self.key,
            removal_policy=self._removal,
        )
        acknowledge(stream, {"AwsSolutions-KDS3": "Events are about people: prod has a key of its own."})
        return stream

    def _secret(self, construct_id: str, description: str) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            construct_id,
            description=description,
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=self._removal,
        )
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": "A new user key would make strangers of all users; a new token key "
                "would void the clicks on every list that is being shown."
            },
        )
        return secret

    def _outputs(self) -> None:
        CfnOutput(self, "TableName", value=self.table.table_name)
        CfnOutput(self, "LakeBucketName", value=self.lake.bucket_name)
        CfnOutput(self, "ModelBucketName", value=self.models.bucket_name)
        CfnOutput(self, "StreamName", value=self.stream.stream_name)
        CfnOutput(self, "RefreshQueueUrl", value=self.refresh_queue.queue_url)
        CfnOutput(self, "UserKeySecretArn", value=self.user_key_secret.secret_arn)
        CfnOutput(self, "TokenSecretArn", value=self.token_secret.secret_arn)
        if self.operators is not None:
            CfnOutput(self, "OperatorPoolId", value=self.operators.pool.user_pool_id)
