"""The slow loop: prepare, train, evaluate, gate, rank, publish."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infrastructure.constructs.logs import log_group
from infrastructure.fields import Environment
from infrastructure.suppressions import acknowledge_workflow

_NIGHT: Final = Duration.hours(6)
_TRANSIENT: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
# An execution that names neither run nor time gets its own name and start.
_RUN: Final = {
    "run_id": "{% $exists($states.input.run_id) ? $states.input.run_id : $states.context.Execution.Name %}",
    "now": "{% $exists($states.input.now) ? $states.input.now : $states.context.Execution.StartTime %}",
    "hyperparameters": "{% $exists($states.input.hyperparameters) ? $states.input.hyperparameters : {} %}",
    "split": "{% $exists($states.input.split) ? $states.input.split : 'auto' %}",
    "accept": "{% $exists($states.input.accept) ? $states.input.accept : [] %}",
}
_OF_RUN: Final = {name: sfn.JsonPath.string_at(f"$.{name}") for name in ("run_id", "now")}
_OF_PREPARATION: Final = {
    **_OF_RUN,
    "split": sfn.JsonPath.string_at("$.split"),
    "accept": sfn.JsonPath.list_at("$.accept"),
}
_OF_TRAINING: Final = {**_OF_RUN, "hyperparameters": sfn.JsonPath.object_at("$.hyperparameters")}


class TrainingWorkflow(sfn.StateMachine):
    """A state machine whose every task is one step of `run_training_step`.

    Its input is `{}` or any of `{"run_id": …, "now": RFC 3339, "hyperparameters": {…}, "split": "auto",
    "accept": [data check, …]}`. A night whose data fails its checks, but for those accepted by name, is not
    trained on, and a model that the gate refuses is neither ranked nor published: the run ends well, and an
    alarm tells.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        step_function: lambda_.Function,
        environment: Environment,
    ) -> None:
        logs = log_group(scope, f"{construct_id}Logs", environment=environment)
        steps = _Steps(scope, step_function, environment.training.ranking_shards)
        super().__init__(
            scope,
            construct_id,
            definition_body=sfn.DefinitionBody.from_chainable(steps.chain()),
            timeout=_NIGHT,
            tracing_enabled=environment.tracing,
            logs=sfn.LogOptions(destination=logs, level=sfn.LogLevel.ALL),
        )
        acknowledge_workflow(self, step_function)


class _Steps:
    """Builds the states; each is retried for faults of Lambda and ends the run when it fails."""

    def __init__(self, scope: Construct, function: lambda_.Function, shard_count: int) -> None:
        self._scope = scope
        self._function = function
        self._shard_count = shard_count
        self._failed = sfn.Fail(
            scope,
            "failed",
            error_path=sfn.JsonPath.string_at("$.failure.Error"),
            cause_path=sfn.JsonPath.string_at("$.failure.Cause"),
        )

    def chain(self) -> sfn.Chain:
        """Return the states in order."""
        passed = self._rank().next(self._step("publish"))
        refused = sfn.Succeed(self._scope, "refused")
        verdict = sfn.Choice(self._scope, "passed?")
        verdict.when(sfn.Condition.boolean_equals("$.gate.publish", True), passed).otherwise(refused)
        trained = (
            self._step("train", payload=_OF_TRAINING)
            .next(self._step("evaluate"))
            .next(self._step("gate", result_path="$.gate"))
            .next(verdict)
        )
        sound = sfn.Choice(self._scope, "sound?")
        sound.when(sfn.Condition.boolean_equals("$.prepared.train", True), trained)
        sound.otherwise(sfn.Succeed(self._scope, "stopped"))
        return (
            sfn.Chain.start(sfn.Pass.jsonata(self._scope, "begin", outputs=_RUN))
            .next(self._step("prepare", payload=_OF_PREPARATION, result_path="$.prepared"))
            .next(sound)
        )

    def _step(
        self,
        step: str,
        *,
        payload: Mapping[str, object] = _OF_RUN,
        result_path: str = sfn.JsonPath.DISCARD,
    ) -> tasks.LambdaInvoke:
        task = self._invoke(step, step, payload, result_path)
        task.add_catch(self._failed, result_path="$.failure")
        return task

    def _rank(self) -> sfn.DistributedMap:
        shard = {"shard": sfn.JsonPath.object_at("$$.Map.Item.Value")}
        ranking = sfn.DistributedMap(
            self._scope,
            "rank",
            items_path="$.prepared.shards",
            item_selector={**_OF_RUN, **shard},
            max_concurrency=self._shard_count,
            map_execution_type=sfn.StateMachineType.STANDARD,
            result_path=sfn.JsonPath.DISCARD,
        )
        payload = {**_OF_RUN, "shard": sfn.JsonPath.number_at("$.shard")}
        ranking.item_processor(self._invoke("rank shard", "rank", payload, "$"))
        ranking.add_catch(self._failed, result_path="$.failure")
        return ranking

    def _invoke(
        self, state: str, step: str, payload: Mapping[str, object], result_path: str
    ) -> tasks.LambdaInvoke:
        task = tasks.LambdaInvoke(
            self._scope,
            state,
            lambda_function=self._function,
            payload=sfn.TaskInput.from_object({"step": step, "shard_count": self._shard_count, **payload}),
            payload_response_only=True,
            result_path=result_path,
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(Duration.minutes(15)),
        )
        task.add_retry(
            errors=list(_TRANSIENT),
            interval=Duration.seconds(2),
            backoff_rate=2,
            max_attempts=5,
            jitter_strategy=sfn.JitterType.FULL,
        )
        return task
