"""cdk-nag, and the ways in which exceptions from its rules are made, each with its reason."""

from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, App, Stack, Token, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct


def check_with_nag(app: App) -> None:
    """Have the AwsSolutions rules run on each synth of `app`; a finding fails it."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    acknowledge(
        app, {"AwsSolutions-L1": "Python 3.13 is what the wheels, the local AWS and the tests run on."}
    )


def acknowledge(construct: IConstruct, rules: Mapping[str, str]) -> None:
    """Accept findings (rule id -> reason) on `construct` and all below it."""
    acknowledgments = [Acknowledgment(id=rule, reason=reason) for rule, reason in rules.items()]
    Validations.of(construct).acknowledge(*acknowledgments)


def acknowledge_tracing(role: IConstruct) -> None:
    """Accept that X-Ray has no resources one could name."""
    acknowledge(role, {"AwsSolutions-IAM5[Resource::*]": "X-Ray's put actions take no resource."})


def acknowledge_objects(role: iam.IRole | None, bucket: s3.IBucket, prefix: str) -> None:
    """Accept a wildcard for the keys of `bucket`, which lies in another stack, below `prefix`."""
    if role is None:
        return
    exported = Stack.of(role).resolve(Stack.of(bucket).export_value(bucket.bucket_arn))
    finding = f"Resource::{exported['Fn::ImportValue']}/{prefix}*"
    acknowledge(role, {f"AwsSolutions-IAM5[{finding}]": "Keys are made at run time, below this prefix."})


def acknowledge_configuration(
    function: lambda_.Function, application: str, profile: str, owner: Stack
) -> None:
    """Accept a wildcard for the environment of an AppConfig application, which lies in the stack `owner`."""
    names = [
        Stack.of(function).resolve(owner.export_value(reference))["Fn::ImportValue"]
        for reference in (application, profile)
    ]
    partition = _shown(owner.partition, "Partition")
    place = f"arn:{partition}:appconfig:{_shown(owner.region, 'Region')}:{_shown(owner.account, 'AccountId')}"
    resource = f"Resource::{place}:application/{names[0]}/environment/*/configuration/{names[1]}"
    reason = "The application has one environment, made after those who read it."
    acknowledge(function.role or function, {f"AwsSolutions-IAM5[{resource}]": reason})


def acknowledge_alarms(role: IConstruct) -> None:
    """Accept that whoever lists alarms lists the account's."""
    stack = Stack.of(role)
    place = f"{_shown(stack.region, 'Region')}:{_shown(stack.account, 'AccountId')}"
    finding = f"Resource::arn:{_shown(stack.partition, 'Partition')}:cloudwatch:{place}:alarm:*"
    acknowledge(
        role, {f"AwsSolutions-IAM5[{finding}]": "Alarms are listed by prefix, which no policy can name."}
    )


def acknowledge_workflow(machine: sfn.StateMachine) -> None:
    """Accept what CDK adds to the role of a state machine with a distributed map."""
    stack = Stack.of(machine)
    name = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{_logical_id(machine)}"}}]}}]}}'
    partition = _shown(stack.partition, "Partition")
    region, account = _shown(stack.region, "Region"), _shown(stack.account, "AccountId")
    executions = f"Resource::arn:{partition}:states:{region}:{account}:execution:{name}"
    of_map = "The map stops and redrives only executions of its own machine, whose names come at run time."
    acknowledge(
        machine,
        {
            "AwsSolutions-IAM5[Resource::*]": "X-Ray's and log delivery's actions take no resource.",
            f"AwsSolutions-IAM5[{executions}:*]": of_map,
            f"AwsSolutions-IAM5[{executions}/*:*]": of_map,
        },
    )


def acknowledge_registry(role: iam.IRole) -> None:
    """Accept that a registry's token has no resource one could name."""
    acknowledge(role, {"AwsSolutions-IAM5[Resource::*]": "A token for ECR is of the whole registry."})


def acknowledge_job(role: iam.IRole, log_groups: Sequence[str]) -> None:
    """Accept what a job's role can't name: a registry's token, the metrics' namespace, its log streams."""
    reason = "SageMaker names the streams of a job at run time, in two groups of its own."
    acknowledge(
        role,
        {
            "AwsSolutions-IAM5[Resource::*]": "A token for ECR is of the whole registry; metrics have no "
            "resource, and a condition names their namespaces.",
        }
        | {f"AwsSolutions-IAM5[Resource::{_plain(role, group)}]": reason for group in log_groups},
    )


def acknowledge_jobs(machine: sfn.StateMachine, jobs: Sequence[str]) -> None:
    """Accept a wildcard for the jobs that a state machine starts."""
    reason = "Names of jobs are made at run time, and begin with this deployment's own."
    acknowledge(machine, {f"AwsSolutions-IAM5[Resource::{_plain(machine, job)}]": reason for job in jobs})


def acknowledge_build(project: IConstruct) -> None:
    """Accept how an image is built."""
    acknowledge(
        project,
        {
            "AwsSolutions-CB3": "Building an image takes Docker's daemon, which needs the privileged mode.",
            "AwsSolutions-CB4": "A build leaves no artifact but the image; its source is the public code.",
        },
    )


def _plain(scope: IConstruct, arn: str) -> str:
    """Show an ARN of the own stack as cdk-nag does."""
    stack = Stack.of(scope)
    parts = stack.resolve(arn)
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts["Fn::Join"][1])


def _logical_id(construct: IConstruct) -> str:
    resource = construct.node.default_child
    stack = Stack.of(construct)
    return str(stack.resolve(stack.get_logical_id(resource)))  # type: ignore[arg-type]


def _shown(value: str, pseudo_parameter: str) -> str:
    return f"<AWS::{pseudo_parameter}>" if Token.is_unresolved(value) else value
