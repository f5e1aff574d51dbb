"""One Python Lambda: its asset, role, log group and standard variables."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from aws_cdk import Duration, IgnoreMode, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.layer_build import ROOT
from infrastructure.constructs.layers import RUNTIME
from infrastructure.constructs.logs import log_group
from infrastructure.fields import Architecture, Environment
from infrastructure.suppressions import acknowledge_tracing

LIVE: Final = "live"
"""Alias of the version that serves."""
_ARCHITECTURES: Final = {
    Architecture.ARM64: lambda_.Architecture.ARM_64,
    Architecture.X86_64: lambda_.Architecture.X86_64,
}


class PythonFunction(lambda_.Function):
    """The Lambda of `functions/<name>`, called `functions.<name>.handler.handler` here and there.

    Its asset holds its own folder and nothing of its neighbours, so a change deploys one function.
    Its role may write its own log group and traces; everything else is granted by the stack.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        environment: Environment,
        layers: Sequence[lambda_.ILayerVersion],
        variables: Mapping[str, str],
        memory_mb: int,
        timeout: Duration,
        scratch: Size | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        """Define the function.

        Parameters
        ----------
        scratch
            Size of `/tmp`; Lambda's 512 MB when left out.
        packages
            Top-level packages to ship beside the function.
        """
        own_logs = log_group(scope, f"{construct_id}Logs", environment=environment)
        role = iam.Role(scope, f"{construct_id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        own_logs.grant_write(role)
        super().__init__(
            scope,
            construct_id,
            code=_asset(name, packages),
            handler=f"functions.{name}.handler.handler",
            runtime=RUNTIME,
            architecture=_ARCHITECTURES[environment.architecture],
            layers=list(layers),
            environment={**_standard_variables(name, environment), **variables},
            memory_size=memory_mb,
            timeout=timeout,
            ephemeral_storage_size=scratch,
            role=role,
            log_group=own_logs,
            tracing=lambda_.Tracing.ACTIVE if environment.tracing else lambda_.Tracing.DISABLED,
        )
        self.settings = environment
        self.service = name
        if environment.tracing:
            acknowledge_tracing(role)

    @cached_property
    def live(self) -> lambda_.Alias:
        """Whom callers call: one version, whose code, settings and layers stay as they are."""
        return lambda_.Alias(self, "Live", alias_name=LIVE, version=self.current_version)


def _asset(name: str, packages: Sequence[str]) -> lambda_.Code:
    kept = ["!/functions", "/functions/*", "!/functions/__init__.py", f"!/functions/{name}"]
    kept += [f"!/{package}" for package in packages]
    return lambda_.Code.from_asset(
        str(ROOT), ignore_mode=IgnoreMode.GIT, exclude=["/*", *kept, "__pycache__"]
    )


def _standard_variables(name: str, environment: Environment) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": environment.metrics_namespace,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
