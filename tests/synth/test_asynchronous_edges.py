"""What nobody waits for has a place for failures, an alarm on it, and a command that brings them back."""

import json
import re
from collections.abc import Iterator
from typing import Any

from infrastructure.constructs.runbooks import FOLDER
from tests.synth.assembly import Assembly, Resource
from training.dead_letters import Edge, Kind
from training.redrive import PREFIX

KINDS_OF_EDGES = {
    "AWS::Lambda::EventSourceMapping": lambda row, assembly: [_of_mapping(row, assembly)],
    "AWS::Lambda::EventInvokeConfig": lambda row, _: [row["DestinationConfig"]["OnFailure"]["Destination"]],
    "AWS::Scheduler::Schedule": lambda row, _: [row["Target"]["DeadLetterConfig"]["Arn"]],
    "AWS::Events::Rule": lambda row, _: [target["DeadLetterConfig"]["Arn"] for target in row["Targets"]],
}
CALLED_BY_EVENT = {
    "AWS::Logs::SubscriptionFilter": lambda row: [row["DestinationArn"]],
    "AWS::Scheduler::Schedule": lambda row: [row["Target"]["Arn"]],
    "AWS::Events::Rule": lambda row: [target["Arn"] for target in row["Targets"]],
}
"""Sources that call a function without waiting: Lambda keeps the event, and needs a place for it, too."""


def _of_mapping(row: Any, assembly: Assembly) -> Any:
    """A stream's batches have a destination; a queue's messages go where its own policy says."""
    if "DestinationConfig" in row:
        return row["DestinationConfig"]["OnFailure"]["Destination"]
    (queue,) = [each for each in queues(assembly) if each.logical_id in str(row["EventSourceArn"])]
    return queue.properties["RedrivePolicy"]["deadLetterTargetArn"]


def queues(assembly: Assembly) -> list[Resource]:
    return assembly.of_type("AWS::SQS::Queue")


def edges(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Every asynchronous edge, and the logical id of its dead-letter queue."""
    for type_, read in KINDS_OF_EDGES.items():
        for row in assembly.of_type(type_):
            for place in read(row.properties, assembly):
                (queue,) = [each.logical_id for each in queues(assembly) if each.logical_id in str(place)]
                yield row.logical_id, queue


def redrives(assembly: Assembly) -> dict[str, Edge]:
    """What the stacks tell `training.redrive`, by the logical id of the queue."""
    outputs = assembly.templates[f"attune-{assembly.environment.name}-observability"]["Outputs"]
    found = {}
    for key, output in outputs.items():
        if key.startswith(PREFIX):
            text = json.dumps(output["Value"])
            (kind,) = re.findall(r'\\"kind\\":\\"([a-z ]+)\\"', text)
            (queue,) = [
                row.logical_id
                for row in queues(assembly)
                if row.logical_id in text.split("target")[0].split("dead_letters")[1]
            ]
            found[queue] = Edge(kind=Kind(kind), dead_letters=queue, target=text.split("target")[1])
    return found


def alarms_on_queues(assembly: Assembly) -> dict[str, Resource]:
    watching = [
        row
        for row in assembly.alarms
        if row.properties.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    ]
    return {
        queue.logical_id: alarm
        for alarm in watching
        for queue in queues(assembly)
        if queue.logical_id in str(alarm.properties["Dimensions"])
    }


def test_every_edge_has_a_place_for_what_failed_and_every_such_place_an_edge(assembly: Assembly) -> None:
    places = {queue for _, queue in edges(assembly)}
    working = {row.logical_id for row in queues(assembly) if "RedrivePolicy" in row.properties}
    assert places == {row.logical_id for row in queues(assembly)} - working
    assert len(list(edges(assembly))) >= 7


def test_every_place_has_an_alarm_that_rings_at_one_message(assembly: Assembly) -> None:
    alarms = alarms_on_queues(assembly)
    assert alarms.keys() == {queue for _, queue in edges(assembly)}
    for alarm in alarms.values():
        assert alarm.properties["Threshold"] == 0
        assert alarm.properties["AlarmActions"]


def test_every_place_is_known_to_the_command_that_brings_things_back(assembly: Assembly) -> None:
    known = redrives(assembly)
    assert known.keys() == {queue for _, queue in edges(assembly)}
    for queue, edge in known.items():
        aliases = [row.logical_id for row in assembly.of_type("AWS::Lambda::Alias")]
        if edge.kind in (Kind.CALLS, Kind.RECORDS):
            assert [alias for alias in aliases if alias in edge.target], queue
        elif edge.kind is Kind.MESSAGES:
            assert [row for row in queues(assembly) if row.logical_id in edge.target], queue
        elif edge.kind is Kind.RUN:
            assert "Workflow" in edge.target


def test_the_page_of_each_alarm_names_the_command(assembly: Assembly) -> None:
    known = redrives(assembly)
    for queue, alarm in alarms_on_queues(assembly).items():
        page = alarm.properties["AlarmDescription"].rpartition("/")[2]
        text = (FOLDER / page).read_text()
        command = (
            "training.rollback" if known[queue].kind is Kind.BY_HAND else "training.redrive --stack $STACK"
        )
        assert command in text, page


def test_who_is_called_by_an_event_has_a_place_for_events_that_it_did_not_take(assembly: Assembly) -> None:
    kept = {str(row.properties["FunctionName"]) for row in assembly.of_type("AWS::Lambda::EventInvokeConfig")}
    aliases = {row.logical_id: row for row in assembly.of_type("AWS::Lambda::Alias")}
    called = 0
    for type_, read in CALLED_BY_EVENT.items():
        for row in assembly.of_type(type_):
            for target in read(row.properties):
                for alias in (aliases[name] for name in aliases if name in str(target)):
                    called += 1
                    assert str(alias.properties["FunctionName"]) in kept, alias.logical_id
    assert called >= 2


def test_a_night_that_failed_is_its_own_dead_letter(assembly: Assembly) -> None:
    """An execution keeps its input and goes on from the step that failed, for 14 days."""
    (machine,) = assembly.of_type("AWS::StepFunctions::StateMachine")
    failing = [row for row in assembly.alarms if row.properties.get("MetricName") == "ExecutionsFailed"]
    assert machine.logical_id in str([row.properties["Dimensions"] for row in failing])
    (page,) = {row.properties["AlarmDescription"].rpartition("/")[2] for row in failing}
    assert "aws stepfunctions redrive-execution" in (FOLDER / page).read_text()
