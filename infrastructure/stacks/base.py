"""What every stack of Attune has in common."""

from aws_cdk import Environment as Target
from aws_cdk import Stack
from constructs import Construct

from infrastructure.fields import Environment


class AttuneStack(Stack):
    """A stack named `attune-<environment>-<part>`, so that environments may share an account."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment) -> None:
        super().__init__(
            scope,
            f"attune-{environment.name}-{part}",
            env=Target(account=environment.account, region=environment.region),
            termination_protection=environment.retain_data,
            tags={"application": "attune", "environment": environment.name},
        )
        self.settings = environment
