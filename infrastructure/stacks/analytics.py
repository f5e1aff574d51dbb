"""The lake, for analysts."""

from aws_cdk import CfnOutput
from constructs import Construct

from infrastructure.constructs.analytics import Analytics
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack


class AnalyticsStack(AttuneStack):
    """Tables, a workgroup and saved queries; none of it is in the way of events or answers."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment, data: DataStack) -> None:
        super().__init__(scope, part, environment=environment)
        analytics = Analytics(
            self,
            "Analytics",
            name=environment.name,
            lake=data.lake,
            key=data.key,
            named_queries=environment.capabilities.named_queries,
            fewest=environment.fewest_users,
        )
        CfnOutput(self, "AnalyticsDatabase", value=analytics.database.ref)
        CfnOutput(self, "AnalyticsWorkGroup", value=analytics.workgroup.name)
