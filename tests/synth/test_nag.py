"""cdk-nag runs on each synth and fails it."""

import json
import re
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs

from infrastructure.app import define
from infrastructure.environments import LOCAL
from tests.synth.assembly import Assembly
from tests.synth.conftest import app_without_bundling


def test_a_finding_that_nobody_answers_for_fails_the_synth(tmp_path: Path) -> None:
    app = app_without_bundling(tmp_path)
    define(app, LOCAL)
    sqs.Queue(Stack(app, "careless"), "Queue")
    with pytest.raises(RuntimeError) as failure:
        app.synth()
    findings = re.findall(r"^   (\S+) aws-cdk-lib.*\n   Acknowledge with '(\S+)'", str(failure.value), re.M)
    assert findings == [
        ("careless/Queue/Resource", "AwsSolutions::AwsSolutions-SQS3"),
        ("careless/Queue/Resource", "AwsSolutions::AwsSolutions-SQS4"),
    ]


def test_no_environment_has_such_a_finding_or_a_warning(assembly: Assembly) -> None:
    report = json.loads((assembly.directory / "validation-report.json").read_text())
    assert report["pluginReports"] == []
