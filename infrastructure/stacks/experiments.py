"""Where the experiments' definitions are read from, and who checks them; `observability` deploys them."""

from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.suppressions import acknowledge_configuration

_PROFILE: Final = "experiments"


class ExperimentsStack(AttuneStack):
    """The configuration profile with its validator.

    The environment that readers name is made after the alarms that watch a deployment, and these watch the
    readers: it has the name of this environment, in an application that has no other.
    """

    def __init__(self, scope: Construct, part: str, *, environment: Environment) -> None:
        super().__init__(scope, part, environment=environment)
        self.application = appconfig.Application(self, "Application", description="Attune")
        self.validate_experiments = self._validate_experiments()
        self.profile = appconfig.CfnConfigurationProfile(
            self,
            "Profile",
            application_id=self.application.application_id,
            name=_PROFILE,
            location_uri="hosted",
            validators=[
                appconfig.CfnConfigurationProfile.ValidatorsProperty(
                    type="LAMBDA", content=self.validate_experiments.function_arn
                )
            ],
        )
        self.profile.node.add_dependency(self.validate_experiments)
        self.address = "/".join((self.application.application_id, environment.name, self.profile.ref))
        """What readers are told, as `personalization.adapters.appconfig.Address` reads it."""
        CfnOutput(self, "ExperimentsAddress", value=self.address)

    def grant_read(self, function: lambda_.Function) -> None:
        """Allow asking for the definitions."""
        application, profile = self.application.application_id, self.profile.ref
        resource = self.format_arn(
            service="appconfig",
            resource="application",
            resource_name=f"{application}/environment/*/configuration/{profile}",
        )
        acknowledge_configuration(function, application, profile, self)
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"],
                resources=[resource],
            )
        )

    def _validate_experiments(self) -> PythonFunction:
        layers = Layers(self, "Layers", environment=self.settings)
        function = PythonFunction(
            self,
            "ValidateExperiments",
            name="validate_experiments",
            environment=self.settings,
            layers=[layers.personalization, layers.base],
            variables={},
            memory_mb=512,
            timeout=Duration.seconds(10),
        )
        function.add_permission("AppConfig", principal=iam.ServicePrincipal("appconfig.amazonaws.com"))
        return function
