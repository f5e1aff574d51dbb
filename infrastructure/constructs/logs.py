"""Log groups that expire."""

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.fields import Environment

_RETENTION: Final = {
    1: logs.RetentionDays.ONE_DAY,
    14: logs.RetentionDays.TWO_WEEKS,
    90: logs.RetentionDays.THREE_MONTHS,
}


def log_group(scope: Construct, construct_id: str, *, environment: Environment) -> logs.LogGroup:
    """Return a log group that keeps lines as long as the environment says and goes with its stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=_RETENTION[environment.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
