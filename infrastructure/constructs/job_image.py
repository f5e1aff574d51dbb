"""The image of the jobs, built in the account from the repository's own files: deploying needs no Docker."""

from typing import Final

from aws_cdk import CustomResource, Duration, IgnoreMode, RemovalPolicy
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from infrastructure.constructs.layer_build import ROOT
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.logs import log_group
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.fields import Environment
from infrastructure.suppressions import acknowledge_build, acknowledge_registry

_SOURCES: Final = ("/training", "/pyproject.toml", "/uv.lock", "/layers")
_OF_LAYERS: Final = ("/layers/*", "!/layers/personalization")
_BUILDSPEC: Final = "training/container/buildspec.yml"
_BUILD: Final = Duration.minutes(14)
_KEPT_IMAGES: Final = 50


class JobImage(Construct):
    """An image named by the hash of what it is made of: the same files are built once, and never anew.

    A deployment waits for the build, so no job ever asks for an image that isn't there.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, layers: Layers
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._source = Asset(
            self,
            "Source",
            path=str(ROOT),
            ignore_mode=IgnoreMode.GIT,
            exclude=["/*", *(f"!{source}" for source in _SOURCES), *_OF_LAYERS, "__pycache__"],
        )
        self.repository = self._repository()
        self._project = self._build()
        built = CustomResource(
            self,
            "Built",
            resource_type="Custom::JobImage",
            service_token=self._builder(layers).function_arn,
            service_timeout=_BUILD.plus(Duration.minutes(2)),
            properties={"Project": self._project.project_name, "Tag": self._source.asset_hash},
        )
        self.uri = self.repository.repository_uri_for_tag(built.ref)
        """Of the image, known once it is built."""

    def _repository(self) -> ecr.Repository:
        return ecr.Repository(
            self,
            "Repository",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    max_image_count=_KEPT_IMAGES, description="Those of the last deployments that changed it"
                )
            ],
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _build(self) -> codebuild.Project:
        logs = log_group(self, "BuildLogs", environment=self._environment)
        role = iam.Role(self, "BuildRole", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        source = self._source.bucket.arn_for_objects(self._source.s3_object_key)
        role.add_to_policy(
            iam.PolicyStatement(actions=["s3:GetObject", "s3:GetObjectVersion"], resources=[source])
        )
        logs.grant_write(role)
        self.repository.grant_pull_push(role)
        self.repository.grant(role, "ecr:DescribeImages")
        acknowledge_registry(role)
        project = codebuild.Project(
            self,
            "Build",
            description="Attune: the image of the training jobs",
            source=codebuild.Source.s3(bucket=self._source.bucket, path=self._source.s3_object_key),
            build_spec=codebuild.BuildSpec.from_source_filename(_BUILDSPEC),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0,
                compute_type=codebuild.ComputeType.MEDIUM,
                privileged=True,
            ),
            environment_variables={
                "REPOSITORY_NAME": codebuild.BuildEnvironmentVariable(value=self.repository.repository_name),
                "REPOSITORY_URI": codebuild.BuildEnvironmentVariable(value=self.repository.repository_uri),
                "IMAGE_TAG": codebuild.BuildEnvironmentVariable(value=self._source.asset_hash),
            },
            # What CDK would add to it is wider: the whole bucket of assets, and report groups.
            role=role.without_policy_updates(),
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=logs)),
            timeout=_BUILD,
        )
        acknowledge_build(project)
        return project

    def _builder(self, layers: Layers) -> PythonFunction:
        function = PythonFunction(
            self,
            "BuildImage",
            name="build_image",
            environment=self._environment,
            layers=[layers.personalization, layers.base],
            variables={},
            memory_mb=256,
            timeout=Duration.minutes(15),
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
                resources=[self._project.project_arn],
            )
        )
        return function
