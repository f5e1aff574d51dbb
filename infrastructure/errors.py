"""What can go wrong while the app is put together.

InfrastructureError
├── UnknownEnvironmentError
├── UnusableNameError
├── UnknownRolloutError
├── UnsupportedEngineError
├── InvalidAccessError
├── UnsupportedRolloutError
├── RetentionError
├── FloorError
└── LayerBuildError
"""

from collections.abc import Sequence


class InfrastructureError(Exception):
    """The CDK app can't be synthesized."""


class UnknownEnvironmentError(InfrastructureError):
    """The context flag `environment` names none."""

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(f"unknown environment {name!r}; choose one of {', '.join(known)}")


class UnsupportedEngineError(InfrastructureError):
    """An environment chooses an engine that its AWS does not have."""

    def __init__(self, environment: str) -> None:
        super().__init__(f"the AWS of {environment!r} has no SageMaker; choose LambdaEngine for its training")


class InvalidAccessError(InfrastructureError):
    """An environment would let in whom nobody means to, or an app's tokens prove nothing."""

    def __init__(self, environment: str, reason: str) -> None:
        super().__init__(f"access to {environment!r}: {reason}")


class UnsupportedRolloutError(InfrastructureError):
    """An environment wants canaries that its AWS does not have."""

    def __init__(self, environment: str) -> None:
        super().__init__(f"the AWS of {environment!r} has no CodeDeploy; choose Rollout.AT_ONCE")


class UnknownRolloutError(InfrastructureError):
    """The context flag `rollout` names none."""

    def __init__(self, rollout: str, *, known: Sequence[str]) -> None:
        super().__init__(f"unknown rollout {rollout!r}; choose one of {', '.join(known)}")


class UnusableNameError(InfrastructureError):
    """The context flag `name` is no name for a deployment."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"a deployment can't be called {name!r}: {reason}")


class RetentionError(InfrastructureError):
    """An environment keeps something for no day at all."""

    def __init__(self, what: str) -> None:
        super().__init__(f"retention of {what}: give whole days, from 1")


class FloorError(InfrastructureError):
    """An environment asks for no people behind what is told of many, or for more than the lists hold to."""

    def __init__(self, environment: str, most: int) -> None:
        super().__init__(f"fewest_users of {environment!r}: give a number from 1 to {most}")


class LayerBuildError(InfrastructureError):
    """The wheels of a layer can't be installed."""
