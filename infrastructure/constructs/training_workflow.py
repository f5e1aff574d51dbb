"""The slow loop: prepare, train, evaluate, gate, rank, publish."""

from typing import Final, Protocol

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.constructs.logs import log_group
from infrastructure.fields import Environment
from infrastructure.suppressions import acknowledge_workflow

# An execution that names neither run nor time gets its own name and start.
_RUN: Final = {
    "run_id": "{% $exists($states.input.run_id) ? $states.input.run_id : $states.context.Execution.Name %}",
    "now": "{% $exists($states.input.now) ? $states.input.now : $states.context.Execution.StartTime %}",
    "split": "{% $exists($states.input.split) ? $states.input.split : 'auto' %}",
    "accept": "{% $exists($states.input.accept) ? $join($states.input.accept, ',') : 'none' %}",
}
State = sfn.TaskStateBase | sfn.CustomState | sfn.DistributedMap


class Steps(Protocol):
    """An engine: how the steps of the slow loop are run."""

    @property
    def night(self) -> Duration:
        """How long a run may take."""
        ...

    @property
    def hyperparameters(self) -> str:
        """JSONata that makes the run's hyperparameters of the execution's input."""
        ...

    @property
    def announces(self) -> bool:
        """Whether a step of its own has to tell CloudWatch what was published."""
        ...

    def step(self, name: str) -> State:
        """Return the state of a step, with its retries."""
        ...

    def rank(self) -> State:
        """Return the state that ranks all users, with its retries."""
        ...

    def allow(self, machine: sfn.StateMachine) -> None:
        """Grant the state machine what its states do."""
        ...


class TrainingWorkflow(sfn.StateMachine):
    """A state machine whose states are the steps of an engine.

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
        steps: Steps,
        environment: Environment,
    ) -> None:
        logs = log_group(scope, f"{construct_id}Logs", environment=environment)
        super().__init__(
            scope,
            construct_id,
            definition_body=sfn.DefinitionBody.from_chainable(_Shape(scope, steps).chain()),
            timeout=steps.night,
            tracing_enabled=environment.tracing,
            logs=sfn.LogOptions(destination=logs, level=sfn.LogLevel.ALL),
        )
        steps.allow(self)
        acknowledge_workflow(self)


class _Shape:
    """The order of the states, the same for every engine.

    Nothing is caught: an error that outlasts its retries fails the execution with its cause, and a redrive
    goes on from the step that failed. After a catch it would go on from where the catch led.
    """

    def __init__(self, scope: Construct, steps: Steps) -> None:
        self._scope = scope
        self._steps = steps

    def chain(self) -> sfn.Chain:
        """Return the states in order."""
        step = self._steps.step
        begin = {**_RUN, "hyperparameters": self._steps.hyperparameters}
        verdict = sfn.Choice(self._scope, "passed?")
        verdict.when(sfn.Condition.boolean_equals("$.gate.publish", True), self._published())
        verdict.otherwise(sfn.Succeed(self._scope, "refused"))
        trained = step("train").next(step("evaluate")).next(step("gate")).next(verdict)
        sound = sfn.Choice(self._scope, "sound?")
        sound.when(sfn.Condition.boolean_equals("$.soundness.train", True), trained)
        sound.otherwise(sfn.Succeed(self._scope, "stopped"))
        return (
            sfn.Chain.start(sfn.Pass.jsonata(self._scope, "begin", outputs=begin))
            .next(step("champion"))
            .next(step("prepare"))
            .next(step("soundness"))
            .next(sound)
        )

    def _published(self) -> sfn.Chain:
        lists = sfn.Parallel(self._scope, "lists", result_path=sfn.JsonPath.DISCARD)
        lists.branch(self._steps.rank(), self._steps.step("share"))
        chain = sfn.Chain.start(lists).next(self._steps.step("publish"))
        return chain.next(self._steps.step("announce")) if self._steps.announces else chain
