"""Steps of the slow loop as invocations of one Lambda."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infrastructure.constructs.python_function import PythonFunction

_TRANSIENT: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
OF_RUN: Final = {name: sfn.JsonPath.string_at(f"$.{name}") for name in ("run_id", "now")}
MORE: Final[Mapping[str, Mapping[str, object]]] = {
    "prepare": {name: sfn.JsonPath.string_at(f"$.{name}") for name in ("split", "accept")},
    "train": {"hyperparameters": sfn.JsonPath.object_at("$.hyperparameters")},
}
"""Step -> what it is told of the execution's input beside run and time."""
ANSWERS: Final = frozenset({"prepare", "soundness", "gate"})
"""Steps whose answer is kept under their name."""


class LambdaSteps:
    """Every step is a Lambda; the users' lists are written in as many at once as there are shards."""

    night: Final = Duration.hours(6)
    hyperparameters: Final = (
        "{% $exists($states.input.hyperparameters) ? $states.input.hyperparameters : {} %}"
    )
    announces: Final = False

    def __init__(self, scope: Construct, function: PythonFunction, shard_count: int) -> None:
        self._scope = scope
        self._function = function
        self._shard_count = shard_count

    def step(self, name: str) -> tasks.LambdaInvoke:
        """Return a step's state."""
        return self.invoke(name, {**OF_RUN, **MORE.get(name, {})}, f"$.{name}" if name in ANSWERS else None)

    def rank(self) -> sfn.DistributedMap:
        """Return the state that ranks every shard."""
        ranking = sfn.DistributedMap(
            self._scope,
            "rank",
            items_path="$.prepare.shards",
            item_selector={**OF_RUN, "shard": sfn.JsonPath.object_at("$$.Map.Item.Value")},
            max_concurrency=self._shard_count,
            map_execution_type=sfn.StateMachineType.STANDARD,
            result_path=sfn.JsonPath.DISCARD,
        )
        payload = {**OF_RUN, "shard": sfn.JsonPath.number_at("$.shard")}
        ranking.item_processor(self.invoke("rank", payload, "$", state="rank shard"))
        return ranking

    def allow(self, machine: sfn.StateMachine) -> None:
        """Grant the state machine nothing more than CDK has."""

    def invoke(
        self, name: str, payload: Mapping[str, object], result_path: str | None, *, state: str | None = None
    ) -> tasks.LambdaInvoke:
        """Return a state that invokes one step, and is retried for faults of Lambda."""
        task = tasks.LambdaInvoke(
            self._scope,
            state or name,
            lambda_function=self._function.live,
            payload=sfn.TaskInput.from_object({"step": name, "shard_count": self._shard_count, **payload}),
            payload_response_only=True,
            result_path=result_path or sfn.JsonPath.DISCARD,
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
