"""What stands before the API, where an environment asks for it."""

from dataclasses import replace
from typing import Final

from aws_cdk import CfnOutput
from constructs import Construct

from infrastructure.constructs.edge import EdgeDistribution
from infrastructure.fields import Edge, Environment
from infrastructure.stacks.base import AttuneStack

REGION: Final = "us-east-1"
"""The only one whose firewalls and certificates CloudFront takes."""


class EdgeStack(AttuneStack):
    """A distribution and its firewall. It holds no state, and refers to no other stack."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment, edge: Edge) -> None:
        super().__init__(scope, part, environment=replace(environment, region=REGION))
        distribution = EdgeDistribution(self, "Edge", edge=edge).distribution
        CfnOutput(self, "EdgeHost", value=distribution.distribution_domain_name)
