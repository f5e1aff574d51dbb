"""A new version of a function serves a few calls first; what goes wrong there takes it back."""

from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.constructs.alarms import ABOVE, MINUTE, SUM
from infrastructure.constructs.python_function import LIVE, PythonFunction
from infrastructure.constructs.runbooks import described
from infrastructure.fields import Rollout
from infrastructure.suppressions import acknowledge_alarms

_ID: Final = "Rollout"
_APPLICATION: Final = "Rollouts"
_PAGE: Final = "deployment-rolled-back"
_ERROR_LINES: Final = 2
_SERVICE: Final = "service"


def roll_out_gradually(function: PythonFunction, *, answers_people: bool = False) -> None:
    """Have an environment that wants it shift `function.live` bit by bit; asked again, nothing changes.

    Parameters
    ----------
    answers_people
        Somebody waits for it, so that being slow is a reason to go back.
    """
    wanted = function.settings.rollout is not Rollout.AT_ONCE
    if wanted and function.node.try_find_child(_ID) is None:
        GradualRollout(function, _ID, function=function, answers_people=answers_people)


class GradualRollout(Construct):
    """CodeDeploy's group of one function, with the alarms that undo its deployment.

    The alarms watch the version that is new, or the function's own log, and so lie beside it: those of the
    platform lie in a stack that comes after, and pages are sent by composite alarms, which CodeDeploy is not
    documented to take. A handler answers 5xx by itself, which Lambda counts as no error; each such answer
    leaves a line of level ERROR.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, function: PythonFunction, answers_people: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self._function = function
        alarms = [self._failing(), self._logging_errors()]
        if answers_people:
            alarms.append(self._slow())
        codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            alias=function.live,
            application=_application(function),
            alarms=alarms,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
            deployment_config=codedeploy.LambdaDeploymentConfig.from_lambda_deployment_config_name(
                self, "Config", f"CodeDeployDefault.{function.settings.rollout}"
            ),
            # Else CDK adds a policy that AWS manages, with every function and bucket of the account.
            role=self._role().without_policy_updates(),
        )

    def _of_new_version(self, metric: str, statistic: str) -> cloudwatch.Metric:
        """Return what Lambda measures by version while an alias has two, and only then.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
        """
        name = self._function.function_name
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=metric,
            dimensions_map={
                "FunctionName": name,
                "Resource": f"{name}:{LIVE}",
                "ExecutedVersion": self._function.current_version.version,
            },
            statistic=statistic,
            period=MINUTE,
        )

    def _failing(self) -> cloudwatch.Alarm:
        share = cloudwatch.MathExpression(
            expression="IF(errors >= 2, 100 * errors / calls)",
            using_metrics={
                "errors": self._of_new_version("Errors", SUM),
                "calls": self._of_new_version("Invocations", SUM),
            },
            period=MINUTE,
            label="failed calls, %",
        )
        return self._watch("VersionFailing", share, 1, "more than 1% of its calls fail")

    def _slow(self) -> cloudwatch.Alarm:
        limit = self._function.settings.limits.p99_milliseconds
        # A tenth of a few calls are first ones, of processes that open their connections.
        duration = cloudwatch.MathExpression(
            expression="IF(calls >= 20, slow)",
            using_metrics={
                "slow": self._of_new_version("Duration", "p90"),
                "calls": self._of_new_version("Invocations", SUM),
            },
            period=MINUTE,
            label="p90, ms",
        )
        return self._watch("VersionSlow", duration, limit, f"one call in ten takes more than {limit:,} ms")

    def _logging_errors(self) -> cloudwatch.Alarm:
        errors = logs.MetricFilter(
            self,
            "ErrorLines",
            log_group=self._function.log_group,
            filter_pattern=logs.FilterPattern.string_value("$.level", "=", "ERROR"),
            metric_namespace=f"{self._function.settings.metrics_namespace}/Log",
            metric_name="ErrorLines",
            metric_value="1",
            dimensions={_SERVICE: f"$.{_SERVICE}"},
        ).metric(
            period=MINUTE,
            statistic=SUM,
            dimensions_map={_SERVICE: self._function.service},
        )
        what = f"it logs more than {_ERROR_LINES} errors a minute"
        return self._watch("VersionLoggingErrors", errors, _ERROR_LINES, what)

    def _watch(self, name: str, metric: cloudwatch.IMetric, threshold: float, what: str) -> cloudwatch.Alarm:
        feel = f"Some users may be served badly by a new version of {self._function.node.id}: {what}."
        return cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            comparison_operator=ABOVE,
            threshold=threshold,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=described(feel, _PAGE),
        )

    def _role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"))
        # The alias by name: by reference it would wait for the group, and the group for it.
        arn = self._function.function_arn
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
                resources=[arn, f"{arn}:{LIVE}"],
            )
        )
        alarms = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[alarms]))
        acknowledge_alarms(role)
        return role


def _application(function: PythonFunction) -> codedeploy.ILambdaApplication:
    stack = Stack.of(function)
    found = stack.node.try_find_child(_APPLICATION)
    if isinstance(found, codedeploy.LambdaApplication):
        return found
    return codedeploy.LambdaApplication(stack, _APPLICATION)
