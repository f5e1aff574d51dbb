"""Deploys the experiments to all users at once, and takes them back if an alarm goes off in the bake time."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import CfnDeletionPolicy
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infrastructure.definitions import as_json, read_definitions
from infrastructure.fields import Environment
from infrastructure.suppressions import acknowledge

MOST_MONITORS: Final = 5
"""AppConfig watches no more alarms of an environment."""


class ExperimentsRollout(Construct):
    """AppConfig's environment with the alarms that undo a deployment, and the deployment itself.

    In one stack with the alarms: across stacks, an alarm that goes with its experiment could not be deleted.

    AppConfig's gradual strategies are of no use here: they roll out by process, not by user, who would see
    another variant with each container that answers.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        application: appconfig.IApplication,
        profile: str,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        watched = alarms[:MOST_MONITORS]
        target = appconfig.Environment(
            self,
            "Environment",
            application=application,
            environment_name=environment.name,
            monitors=[appconfig.Monitor.from_cloud_watch_alarm(alarm) for alarm in watched],
        )
        acknowledge(target, {"AwsSolutions-IAM5[Resource::*]": "AppConfig describes alarms, all or none."})
        self._deploy(environment, application.application_id, profile, target.environment_id)

    def _deploy(self, environment: Environment, application: str, profile: str, target: str) -> None:
        version = appconfig.CfnHostedConfigurationVersion(
            self,
            "Version",
            application_id=application,
            configuration_profile_id=profile,
            content=as_json(read_definitions()),
            content_type="application/json",
        )
        # A deployment that is undone falls back on the version before.
        version.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        version.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        strategy = appconfig.CfnDeploymentStrategy(
            self,
            "AtOnce",
            name=f"attune-{environment.name}-at-once",
            deployment_duration_in_minutes=0,
            growth_factor=100,
            final_bake_time_in_minutes=environment.experiment_bake_minutes,
            replicate_to="NONE",
        )
        appconfig.CfnDeployment(
            self,
            "Deployment",
            application_id=application,
            environment_id=target,
            configuration_profile_id=profile,
            configuration_version=version.ref,
            deployment_strategy_id=strategy.ref,
        )
