"""The key that encrypts what is stored about people."""

from typing import Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

_SERVICES: Final = ("dynamodb", "kinesis", "s3", "secretsmanager", "sqs")
_ACTIONS: Final = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
)


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
            description="Attune: profiles, events, lists and secrets at rest",
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
