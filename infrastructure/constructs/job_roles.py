"""Who the jobs of the slow loop are, and what the state machine may do with them."""

from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.constructs.grants import (
    MODEL,
    SEGMENTS,
    USERS,
    grant_items,
    grant_listing,
    grant_objects,
)
from infrastructure.suppressions import acknowledge_job, acknowledge_jobs

_KINDS: Final = ("Training", "Processing")
_SAGEMAKER: Final = "sagemaker.amazonaws.com"


class JobRoles(Construct):
    """Three roles: that which reads the lake, that which works on a run, that which publishes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository: ecr.Repository,
        lake: s3.IBucket,
        models: s3.IBucket,
        table: dynamodb.ITable,
    ) -> None:
        super().__init__(scope, construct_id)
        self._repository = repository
        self._models = models
        self._preparing = self._role("Preparing")
        self._working = self._role("Working")
        self._publishing = self._role("Publishing")
        grant_listing(lake, self._preparing, prefix="events/")
        grant_objects(lake, "events/", self._preparing, "GetObject")
        grant_objects(models, "models/", self._publishing, "GetObject", "PutObject")
        grant_items(table, self._publishing, "BatchGetItem", keys=[MODEL, USERS])
        grant_items(table, self._publishing, "PutItem", keys=[USERS, SEGMENTS, MODEL])

    @property
    def all(self) -> list[iam.Role]:
        """Every role."""
        return [self._preparing, self._working, self._publishing]

    def of(self, step: str) -> iam.Role:
        """Return the role of a step."""
        return {"prepare": self._preparing, "publish": self._publishing}.get(step, self._working)

    def _role(self, name: str) -> iam.Role:
        role = iam.Role(self, name, assumed_by=iam.ServicePrincipal(_SAGEMAKER))
        grant_listing(self._models, role, prefix="runs/")
        grant_objects(self._models, "runs/", role, "GetObject", "PutObject")
        self._repository.grant_pull(role)
        stack = Stack.of(self)
        groups = [
            stack.format_arn(
                service="logs",
                resource="log-group",
                resource_name=f"/aws/sagemaker/{kind}Jobs:*",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for kind in _KINDS
        ]
        actions = ["CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"]
        role.add_to_policy(
            iam.PolicyStatement(actions=[f"logs:{action}" for action in actions], resources=groups)
        )
        spaces = [f"/aws/sagemaker/{kind}Jobs" for kind in _KINDS]
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": spaces}},
            )
        )
        acknowledge_job(role, groups)
        return role


def allow_jobs(machine: sfn.StateMachine, *, name_prefix: str, roles: JobRoles) -> None:
    """Let a state machine run jobs whose names begin with a prefix, under these roles.

    The events rules are those by which Step Functions learns that a job has ended:
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
    """
    stack = Stack.of(machine)
    jobs = {
        kind: stack.format_arn(
            service="sagemaker", resource=f"{kind.lower()}-job", resource_name=f"{name_prefix}-*"
        )
        for kind in _KINDS
    }
    for kind, arn in jobs.items():
        actions = [f"sagemaker:{verb}{kind}Job" for verb in ("Create", "Describe", "Stop")]
        machine.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[arn]))
    machine.add_to_role_policy(
        iam.PolicyStatement(
            actions=["sagemaker:AddTags", "sagemaker:ListTags"], resources=list(jobs.values())
        )
    )
    machine.add_to_role_policy(
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn for role in roles.all],
            conditions={"StringEquals": {"iam:PassedToService": _SAGEMAKER}},
        )
    )
    rules = [f"StepFunctionsGetEventsForSageMaker{kind}JobsRule" for kind in _KINDS]
    machine.add_to_role_policy(
        iam.PolicyStatement(
            actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            resources=[
                stack.format_arn(service="events", resource="rule", resource_name=rule) for rule in rules
            ],
        )
    )
    acknowledge_jobs(machine, list(jobs.values()))
