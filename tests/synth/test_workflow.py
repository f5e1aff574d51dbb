"""The state machine of the slow loop."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.synth.assembly import Assembly


@pytest.fixture
def definition(assembly: Assembly) -> dict[str, Any]:
    text = assembly.one("AWS::StepFunctions::StateMachine").properties["DefinitionString"]
    parts = text["Fn::Join"][1]
    parsed: dict[str, Any] = json.loads(
        "".join(part if isinstance(part, str) else "function" for part in parts)
    )
    return parsed


def test_the_steps_run_in_order(definition: dict[str, Any]) -> None:
    state, order = definition["StartAt"], []
    while state:
        order.append(state)
        state = definition["States"][state].get("Next")
    assert order == ["begin", "prepare", "sound?"]
    state, order = "train", []
    while state:
        order.append(state)
        state = definition["States"][state].get("Next")
    assert order == ["train", "evaluate", "gate", "passed?"]
    assert definition["States"]["rank"]["Next"] == "publish"


def test_only_a_model_that_passed_the_gate_is_ranked_and_published(definition: dict[str, Any]) -> None:
    choice = definition["States"]["passed?"]
    (rule,) = choice["Choices"]
    assert rule == {"Variable": "$.gate.publish", "BooleanEquals": True, "Next": "rank"}
    assert definition["States"][choice["Default"]]["Type"] == "Succeed"


def test_only_sound_data_is_trained_on(definition: dict[str, Any]) -> None:
    choice = definition["States"]["sound?"]
    assert choice["Choices"] == [{"Variable": "$.prepared.train", "BooleanEquals": True, "Next": "train"}]
    assert definition["States"][choice["Default"]]["Type"] == "Succeed"


def test_a_run_gets_its_name_and_time_from_the_execution_unless_told(definition: dict[str, Any]) -> None:
    output = definition["States"]["begin"]["Output"]
    assert output["run_id"].endswith("$states.context.Execution.Name %}")
    assert output["now"].endswith("$states.context.Execution.StartTime %}")


def test_lists_are_ranked_in_as_many_shards_as_the_environment_says(
    assembly: Assembly, definition: dict[str, Any]
) -> None:
    rank = definition["States"]["rank"]
    assert rank["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert rank["MaxConcurrency"] == assembly.environment.training.ranking_shards
    (task,) = rank["ItemProcessor"]["States"].values()
    assert task["Parameters"] == {
        "step": "rank",
        "shard_count": assembly.environment.training.ranking_shards,
        "run_id.$": "$.run_id",
        "now.$": "$.now",
        "shard.$": "$.shard",
    }


def test_every_task_names_its_step_has_a_timeout_and_is_retried_with_backoff(
    definition: dict[str, Any],
) -> None:
    tasks = list(_tasks(definition))
    assert {task["Parameters"]["step"] for task in tasks} == {
        "prepare",
        "train",
        "evaluate",
        "gate",
        "rank",
        "publish",
    }
    for task in tasks:
        (retry,) = task["Retry"]
        assert "Lambda.TooManyRequestsException" in retry["ErrorEquals"]
        assert retry["BackoffRate"] > 1
        assert task["TimeoutSeconds"] <= 900


def test_whatever_fails_ends_the_run_as_failed(definition: dict[str, Any]) -> None:
    for name, state in definition["States"].items():
        if state["Type"] in {"Task", "Map"}:
            assert [catcher["Next"] for catcher in state["Catch"]] == ["failed"], name
    assert definition["States"]["failed"]["Type"] == "Fail"


def test_the_workflow_is_traced_and_logged(assembly: Assembly) -> None:
    machine = assembly.one("AWS::StepFunctions::StateMachine").properties
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"


def _tasks(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in definition["States"].values():
        if state["Type"] == "Task":
            yield state
        if "ItemProcessor" in state:
            yield from _tasks(state["ItemProcessor"])
