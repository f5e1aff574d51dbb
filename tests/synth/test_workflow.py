"""The state machine of the slow loop."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.fields import SageMakerEngine
from tests.synth.assembly import Assembly

FUNCTION = "RunTrainingStep"


def definition_of(assembly: Assembly) -> dict[str, Any]:
    """The state machine's definition; what refers to another resource is shown by its name."""
    text = assembly.one("AWS::StepFunctions::StateMachine").properties["DefinitionString"]
    parts = (part if isinstance(part, str) else _shown(part) for part in text["Fn::Join"][1])
    parsed: dict[str, Any] = json.loads("".join(parts))
    return parsed


def _shown(reference: dict[str, Any]) -> str:
    names = (FUNCTION, "JobRolesPreparing", "JobRolesWorking", "JobRolesPublishing", "JobImage")
    names += ("Lake", "Models", "Table", "Key")
    return next((name for name in names if name in str(reference)), "other")


def on_sagemaker(assembly: Assembly) -> bool:
    return isinstance(assembly.environment.training.engine, SageMakerEngine)


@pytest.fixture
def definition(assembly: Assembly) -> dict[str, Any]:
    return definition_of(assembly)


def test_the_steps_run_in_order_whatever_the_engine(definition: dict[str, Any]) -> None:
    order = list(_order(definition, definition["StartAt"]))
    assert order == ["begin", "champion", "prepare", "soundness", "sound?"]
    assert list(_order(definition, "train")) == ["train", "evaluate", "gate", "passed?"]
    branches = [branch["StartAt"] for branch in definition["States"]["lists"]["Branches"]]
    assert branches == ["rank", "share"]


def test_publishing_comes_last_and_is_told_by_whoever_can_count(
    assembly: Assembly, definition: dict[str, Any]
) -> None:
    told = ["announce"] if on_sagemaker(assembly) else []
    assert list(_order(definition, "lists")) == ["lists", "publish", *told]


def test_only_a_model_that_passed_the_gate_is_ranked_and_published(definition: dict[str, Any]) -> None:
    choice = definition["States"]["passed?"]
    (rule,) = choice["Choices"]
    assert rule == {"Variable": "$.gate.publish", "BooleanEquals": True, "Next": "lists"}
    assert definition["States"][choice["Default"]]["Type"] == "Succeed"


def test_only_sound_data_is_trained_on(definition: dict[str, Any]) -> None:
    choice = definition["States"]["sound?"]
    assert choice["Choices"] == [{"Variable": "$.soundness.train", "BooleanEquals": True, "Next": "train"}]
    assert definition["States"][choice["Default"]]["Type"] == "Succeed"


def test_a_run_gets_its_name_and_time_from_the_execution_unless_told(definition: dict[str, Any]) -> None:
    output = definition["States"]["begin"]["Output"]
    assert output["run_id"].endswith("$states.context.Execution.Name %}")
    assert output["now"].endswith("$states.context.Execution.StartTime %}")


def test_lists_are_ranked_in_as_many_lambdas_as_the_environment_says(dev: Assembly) -> None:
    shards = dev.environment.training.ranking_shards
    rank = _states(definition_of(dev))["rank"]
    assert rank["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert rank["MaxConcurrency"] == shards
    (task,) = rank["ItemProcessor"]["States"].values()
    assert task["Parameters"] == {
        "step": "rank",
        "shard_count": shards,
        "run_id.$": "$.run_id",
        "now.$": "$.now",
        "shard.$": "$.shard",
    }


def test_every_task_has_a_timeout_and_is_retried_with_backoff(definition: dict[str, Any]) -> None:
    tasks = {name: state for name, state in _states(definition).items() if state["Type"] == "Task"}
    assert tasks.keys() >= {"champion", "prepare", "train", "evaluate", "gate", "share", "publish"}
    for name, task in tasks.items():
        (retry,) = task["Retry"]
        call = task["Resource"] == FUNCTION
        expected = "Lambda.TooManyRequestsException" if call else "SageMaker.AmazonSageMakerException"
        assert expected in retry["ErrorEquals"]
        assert retry["BackoffRate"] > 1
        if call:
            assert task["Parameters"]["step"] == name.removesuffix(" shard")
            assert task["TimeoutSeconds"] <= 900


def test_a_failure_ends_the_run_where_it_happened_so_that_a_redrive_goes_on_from_there(
    definition: dict[str, Any],
) -> None:
    for name, state in _states(definition).items():
        assert state["Type"] != "Fail", name
        assert "Catch" not in state, name


def test_the_workflow_is_traced_and_logged(assembly: Assembly) -> None:
    machine = assembly.one("AWS::StepFunctions::StateMachine").properties
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"


def _order(definition: dict[str, Any], state: str | None) -> Iterator[str]:
    while state:
        yield state
        state = definition["States"][state].get("Next")


def _states(definition: dict[str, Any]) -> dict[str, Any]:
    """All states by name, those inside of maps and branches too."""
    found = dict(definition["States"])
    for state in definition["States"].values():
        for inner in [state.get("ItemProcessor", {"States": {}}), *state.get("Branches", [])]:
            found |= _states(inner)
    return found
