"""What the local AWS promises: functions as bare as on AWS, alarms that work, nothing left behind."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from infrastructure.local import runner, stack
from infrastructure.local.alarms import SIGNATURE
from infrastructure.local.lifecycle import LocalAws, emulator
from infrastructure.local.log_tail import LogTail

ROLE = "arn:aws:iam::000000000000:role/any"

PROBE = """
import importlib.util, json, os, sys, time

def handler(event, context):
    metric = {"Name": "Probes", "Unit": "Count"}
    directive = {"Namespace": "Attune", "Dimensions": [["surface"]], "Metrics": [metric]}
    header = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": header, "surface": "home", "Probes": event["probes"]}))
    found = [name for name in event["modules"] if importlib.util.find_spec(name)]
    version = sys.version_info[:2]
    return {"found": found, "environment": dict(os.environ), "path": sys.path, "version": version}
"""

ALARM = {
    "Resources": {
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": "too-many-probes",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 50,
                "EvaluationPeriods": 1,
                "TreatMissingData": "notBreaching",
                "Metrics": [
                    {"Id": "percent", "Expression": "IF(probes > 1, 10 * probes)"},
                    {
                        "Id": "probes",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {
                                "Namespace": "Attune",
                                "MetricName": "Probes",
                                "Dimensions": [{"Name": "surface", "Value": "home"}],
                            },
                            "Period": 3600,
                            "Stat": "Sum",
                        },
                    },
                ],
            },
        }
    }
}


def archive(path: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(path, content)
    return buffer.getvalue()


def create_function(aws: LocalAws, name: str, layers: list[str]) -> None:
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="probe.handler",
        Role=ROLE,
        Layers=layers,
        Code={"ZipFile": archive("probe.py", PROBE)},
    )


def invoke(aws: LocalAws, name: str, probes: int = 1) -> dict:
    modules = ["boto3", "catalogue", "lightgbm", "ministack", "numpy", "personalization", "psutil"]
    payload = json.dumps({"modules": modules, "probes": probes})
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=payload)
    return json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def bare() -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", "/developers/own")
        patch.setenv("AWS_PROFILE", "production")
        with emulator() as aws:
            create_function(aws, "no-layer", [])
            yield aws


def test_a_function_without_layers_sees_boto3_and_nothing_else(bare: LocalAws) -> None:
    assert invoke(bare, "no-layer")["found"] == ["boto3"]
    assert invoke(bare, "no-layer")["version"] == [3, 13]


def test_a_function_sees_its_layers(bare: LocalAws) -> None:
    zipped = archive("python/catalogue.py", "")
    layer = bare.client("lambda").publish_layer_version(LayerName="shop", Content={"ZipFile": zipped})
    create_function(bare, "with-layer", [layer["LayerVersionArn"]])
    assert invoke(bare, "with-layer")["found"] == ["boto3", "catalogue"]


def test_a_function_sees_nothing_of_the_developers_environment(bare: LocalAws) -> None:
    answer = invoke(bare, "no-layer")
    assert not {"PYTHONPATH", "AWS_PROFILE", "VIRTUAL_ENV"} & answer["environment"].keys()
    assert "/developers/own" not in answer["path"]


def test_a_log_line_becomes_a_metric_once_and_an_expression_on_it_an_alarm(bare: LocalAws) -> None:
    cloudwatch = bare.client("cloudwatch")
    tail = LogTail(bare.client("logs"), '"CloudWatchMetrics"')
    bare.client("cloudformation").create_stack(StackName="alarms", TemplateBody=json.dumps(ALARM))
    list(tail.read())
    invoke(bare, "no-layer", probes=3)
    for _ in range(3):
        runner.forward_metrics(cloudwatch, tail.read())
    runner.report_alarms(cloudwatch)
    assert _state(cloudwatch) == ("OK", True)
    assert _probes(cloudwatch) == 3
    invoke(bare, "no-layer", probes=4)
    runner.forward_metrics(cloudwatch, tail.read())
    runner.report_alarms(cloudwatch)
    assert _state(cloudwatch) == ("ALARM", True)


def test_a_function_of_the_fast_path_could_import_nothing_of_the_slow_ones(platform: LocalAws) -> None:
    functions = platform.client("lambda")
    deployed = functions.get_paginator("list_functions").paginate().build_full_result()["Functions"]
    (fast,) = [one for one in deployed if one["Handler"].startswith("functions.get_recommendations.")]
    create_function(platform, "probe", [layer["Arn"] for layer in fast["Layers"]])
    assert invoke(platform, "probe")["found"] == ["boto3", "personalization"]
    functions.delete_function(FunctionName="probe")


def test_the_end_leaves_no_process_and_no_file() -> None:
    with emulator() as aws:
        create_function(aws, "no-layer", [])
        invoke(aws, "no-layer")
        emulator_process = psutil.Process(stack.recall(aws.layout)["emulator"].pid)
        family = [emulator_process, *emulator_process.children(recursive=True)]
        assert len(family) > 1
    assert not [process for process in family if _works(process)]
    assert not aws.layout.directory.exists()


def test_the_deployed_api_answers_at_the_address_that_is_printed(platform: LocalAws) -> None:
    assert platform.api_url.startswith(f"http://127.0.0.1:{platform.layout.port}/")
    assert {"emulator", "runner"} == stack.recall(platform.layout).keys()


def _works(process: psutil.Process) -> bool:
    # One that ended stays in the list of processes until its parent, by now the system's first, asks for it.
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _state(cloudwatch) -> tuple[str, bool]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=["too-many-probes"])["MetricAlarms"]
    return alarm["StateValue"], alarm["StateReason"].startswith(SIGNATURE)


def _probes(cloudwatch) -> float:
    [point] = cloudwatch.get_metric_statistics(
        Namespace="Attune",
        MetricName="Probes",
        Dimensions=[{"Name": "surface", "Value": "home"}],
        StartTime=datetime.fromtimestamp(time.time() - 3600, UTC),
        EndTime=datetime.fromtimestamp(time.time() + 60, UTC),
        Period=86400,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(point["Sum"])
