"""The key that encrypts what is stored about people, and whatever else keeps data."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

_SERVICES: Final = ("dynamodb", "kinesis", "s3", "secretsmanager", "sns", "sqs")
_ACTIONS: Final = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
)
_SENDING: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*")


class DataKey(kms.Key):
    """A key that the account's principals use through the data services and in no other way.

    Like the keys that AWS manages, it trusts the services' own permissions: who may not read the
    table gets nothing from the key, so no function needs a statement about it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, removal_policy: RemovalPolicy, volumes: bool
    ) -> None:
        """Define the key; with `volumes`, SageMaker may encrypt those of its instances under it."""
        super().__init__(
            scope,
            construct_id,
            description="Attune: data at rest",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        stack = Stack.of(self)
        trusted = [*_SERVICES, "sagemaker"] if volumes else _SERVICES
        services = [f"{service}.{stack.region}.amazonaws.com" for service in trusted]
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowDataServicesOnBehalfOfThisAccount",
                principals=[iam.AnyPrincipal()],
                actions=list(_ACTIONS),
                resources=["*"],
                conditions={"StringEquals": {"kms:CallerAccount": stack.account, "kms:ViaService": services}},
            )
        )
        self._trust_tellers(stack)
        self._trust_logs(stack)

    def _trust_tellers(self, stack: Stack) -> None:
        """Let alarms and the budget tell topics, and rules fill queues: services, without a role.

        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services;
        it also says that requests of EventBridge carry no account that a condition could ask for.
        """
        own = {"StringEquals": {"aws:SourceAccount": stack.account}}
        self._trust("AllowAlarmsAndBudgets", ["cloudwatch", "budgets"], _SENDING, own)
        self._trust("AllowRules", ["events"], _SENDING, {})

    def _trust_logs(self, stack: Stack) -> None:
        """Let CloudWatch Logs keep the log groups of this environment's stacks.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        """
        stacks = stack.stack_name.rpartition("-")[0]
        groups = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{stacks}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        context = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
        self._trust(
            "AllowLogs", [f"logs.{stack.region}"], [*_SENDING, "kms:Encrypt*", "kms:ReEncrypt*"], context
        )

    def _trust(
        self, sid: str, services: Sequence[str], actions: Sequence[str], conditions: Mapping[str, object]
    ) -> None:
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in services],
                actions=list(actions),
                resources=["*"],
                conditions=dict(conditions),
            )
        )


def encrypt_all(scope: IConstruct, key: kms.IKey) -> None:
    """Put the log groups, topics and queues below `scope` under the key, those that have none."""
    for found in scope.node.find_all():
        if isinstance(found, logs.CfnLogGroup):
            found.kms_key_id = found.kms_key_id or key.key_arn
        elif isinstance(found, sns.CfnTopic):
            found.kms_master_key_id = found.kms_master_key_id or key.key_arn
        elif isinstance(found, sqs.CfnQueue) and found.kms_master_key_id is None:
            found.kms_master_key_id = key.key_arn
            found.sqs_managed_sse_enabled = None
