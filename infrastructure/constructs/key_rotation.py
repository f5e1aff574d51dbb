"""Rotation of the keys that sign: what is signed stays good, for the key before is accepted as well."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.constructs.grants import allow
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.fields import Environment

ROTATION_DAYS: Final = 90
"""Longer than anything signed is good for (7 days), so that no token outlives the key before its own."""
_ACTIONS: Final = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")


class KeyRotation(Construct):
    """One function that Secrets Manager calls for each secret, every 90 days."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        token_secret: secretsmanager.ISecret,
        guest_secret: secretsmanager.ISecret,
        layers: Layers,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = PythonFunction(
            self,
            "RotateSecret",
            name="rotate_secret",
            environment=environment,
            layers=[layers.personalization, layers.base],
            variables={
                "TOKEN_SECRET_ARN": token_secret.secret_arn,
                "GUEST_SECRET_ARN": guest_secret.secret_arn,
            },
            memory_mb=256,
            timeout=Duration.seconds(30),
        )
        self._rotate("RecommendationIds", token_secret)
        self._rotate("Guests", guest_secret)

    def _rotate(self, name: str, secret: secretsmanager.ISecret) -> None:
        self.function.live.add_permission(
            f"CalledFor{name}",
            principal=iam.ServicePrincipal("secretsmanager.amazonaws.com"),
            source_arn=secret.secret_arn,
        )
        allow(
            self.function,
            iam.PolicyStatement(
                actions=[f"secretsmanager:{action}" for action in _ACTIONS], resources=[secret.secret_arn]
            ),
        )
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            name,
            secret_id=secret.secret_arn,
            rotation_lambda_arn=self.function.live.function_arn,
            rotate_immediately_on_update=False,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=ROTATION_DAYS
            ),
        )
        # Secrets Manager tries whether it may call the function.
        schedule.node.add_dependency(self.function.live)
