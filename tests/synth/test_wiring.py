"""What CDK and Python must agree on: handlers, variables, permissions, failure destinations, packages."""

import dataclasses
import importlib
import json
import re
from pathlib import Path

import msgspec

from factories import NOW
from infrastructure.constructs.code_version import code_version
from infrastructure.constructs.layer_build import ROOT
from infrastructure.fields import Access
from personalization.exposures import MESSAGE, Exposure
from personalization.names import Source
from tests.synth.assembly import Assembly
from tests.synth.test_workflow import on_sagemaker

FUNCTIONS = {path.parent.name for path in (ROOT / "functions").glob("*/__init__.py")}
STANDARD_VARIABLES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
OF_EVERY_FUNCTION = {
    ("logs:CreateLogStream", "own logs"),
    ("logs:PutLogEvents", "own logs"),
    ("xray:PutTelemetryRecords", "*"),
    ("xray:PutTraceSegments", "*"),
}
OF_EVERY_STREAM_CONSUMER = {
    ("kinesis:DescribeStream", "stream"),
    ("kinesis:DescribeStreamSummary", "stream"),
    ("kinesis:GetRecords", "stream"),
    ("kinesis:GetShardIterator", "stream"),
    ("kinesis:ListShards", "stream"),
    ("sqs:SendMessage", "failed batches"),
}
NIGHTS = ("runs", "snapshots")
IN_MODELS = ("models", "runs", "snapshots")
POLLS = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
OF_QUEUE_CONSUMER = {(action, "refresh queue") for action in POLLS}
FORGETS = {(f"dynamodb:{verb}", "table") for verb in ("BatchGetItem", "DeleteItem", "PutItem", "Query")}
READS_EXPERIMENTS = {
    ("appconfig:GetLatestConfiguration", "experiments"),
    ("appconfig:StartConfigurationSession", "experiments"),
}
ALLOWED = {
    "rotate_secret": {
        (f"secretsmanager:{action}", f"{of} secret")
        for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
        for of in ("token", "guest")
    },
    "authorize": {("secretsmanager:GetSecretValue", "guest secret")},
    "issue_guest_token": {("secretsmanager:GetSecretValue", "guest secret")},
    "ingest_events": {
        ("kinesis:PutRecords", "stream"),
        ("dynamodb:BatchGetItem", "table"),
        ("secretsmanager:GetSecretValue", "user key secret"),
        ("secretsmanager:GetSecretValue", "guest secret"),
    },
    "put_consent": {
        ("kinesis:PutRecords", "stream"),
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
        ("dynamodb:Query", "table"),
        ("sqs:SendMessage", "erasure queue"),
        ("secretsmanager:GetSecretValue", "user key secret"),
    },
    "put_items": {("kinesis:PutRecords", "stream")},
    "update_profiles": OF_EVERY_STREAM_CONSUMER
    | {
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
        ("dynamodb:UpdateItem", "table"),
        ("dynamodb:Query", "table"),
        ("sqs:SendMessage", "refresh queue"),
        ("sqs:SendMessage", "erasure queue"),
        ("s3:PutObject", "lake/quarantine/*"),
        ("secretsmanager:GetSecretValue", "token secret"),
    },
    "archive_events": OF_EVERY_STREAM_CONSUMER | {("s3:PutObject", "lake/events/*")},
    "archive_exposures": {
        ("s3:PutObject", "lake/exposures/*"),
        ("s3:PutObject", "lake/quarantine/exposures/*"),
        ("sqs:SendMessage", "failed deliveries"),
    },
    "get_recommendations": READS_EXPERIMENTS
    | {
        ("dynamodb:BatchGetItem", "table"),
        ("s3:GetObject", "models/shared/*"),
        ("sqs:SendMessage", "refresh queue"),
        ("secretsmanager:GetSecretValue", "user key secret"),
        ("secretsmanager:GetSecretValue", "token secret"),
    },
    "get_console_data": READS_EXPERIMENTS
    | {
        ("dynamodb:BatchGetItem", "table"),
        ("s3:ListBucket", "models"),
        ("s3:GetObject", "models/models/*"),
        ("secretsmanager:GetSecretValue", "user key secret"),
        ("cloudwatch:DescribeAlarms", "alarms"),
        ("cloudwatch:GetMetricData", "*"),
    },
    "get_trending": {("dynamodb:BatchGetItem", "table"), ("s3:GetObject", "models/shared/*")},
    "get_experiment": READS_EXPERIMENTS | {("dynamodb:BatchGetItem", "table")},
    "analyze_experiments": READS_EXPERIMENTS
    | {
        ("s3:ListBucket", "lake"),
        ("s3:GetObject", "lake/events/*"),
        ("s3:GetObject", "lake/exposures/*"),
        ("s3:GetObject", "lake/experiments/*"),
        ("s3:PutObject", "lake/experiments/*"),
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
        ("dynamodb:UpdateItem", "table"),
        ("secretsmanager:GetSecretValue", "token secret"),
        ("sqs:SendMessage", "failed analyses"),
    },
    "delete_user": FORGETS
    | {
        ("s3:PutObject", "lake/erasures/*"),
        ("sqs:SendMessage", "erasure queue"),
        ("secretsmanager:GetSecretValue", "user key secret"),
    },
    "get_user": READS_EXPERIMENTS
    | {
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:Query", "table"),
        ("s3:ListBucket", "lake"),
        ("s3:GetObject", "lake/exports/*"),
        ("sqs:SendMessage", "erasure queue"),
        ("secretsmanager:GetSecretValue", "user key secret"),
    },
    "get_erasure": {("s3:ListBucket", "lake"), ("s3:GetObject", "lake/erasures/receipts/*")},
    "erase_users": FORGETS
    | {(action, "erasure queue") for action in POLLS}
    | {
        ("s3:ListBucket", "lake"),
        *(
            (f"s3:{verb}Object", f"lake/{kind}/*")
            for verb in ("Get", "Put")
            for kind in ("events", "exposures", "experiments/state")
        ),
        *((f"s3:{verb}Object", "lake/quarantine/*") for verb in ("Get", "Delete")),
        *((f"s3:{verb}Object", "lake/exports/*") for verb in ("Put", "Delete")),
        *((f"s3:{verb}Object", "lake/erasures/pending/*") for verb in ("Get", "Delete")),
        ("s3:PutObject", "lake/erasures/*"),
        ("s3:ListBucket", "models"),
        *((f"s3:{verb}Object", f"models/{kind}/*") for verb in ("Get", "Delete") for kind in NIGHTS),
        ("sqs:SendMessage", "failed rounds"),
    },
    "serve_console": set(),
    "refresh_recommendations": OF_QUEUE_CONSUMER
    | READS_EXPERIMENTS
    | {
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
        ("s3:GetObject", "models/models/*"),
        ("s3:ListBucket", "models"),
    },
    "show_experiments": {("dynamodb:BatchGetItem", "table")},
    "build_image": {("codebuild:BatchGetBuilds", "build"), ("codebuild:StartBuild", "build")},
    "roll_back_model": {
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
        ("sqs:SendMessage", "rollback failures"),
    },
    "validate_experiments": set(),
    "run_training_step": READS_EXPERIMENTS
    | {
        ("s3:ListBucket", "lake"),
        ("s3:GetObject", "lake/events/*"),
        ("s3:ListBucket", "models"),
        *((f"s3:{verb}Object", f"models/{kind}/*") for verb in ("Get", "Put") for kind in IN_MODELS),
        ("s3:PutObject", "models/shared/*"),
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
    },
}
ON_SAGEMAKER = READS_EXPERIMENTS | {
    ("s3:ListBucket", "models"),
    ("s3:GetObject", "models/models/*"),
    ("s3:GetObject", "models/runs/*"),
    ("s3:PutObject", "models/runs/*"),
    ("dynamodb:BatchGetItem", "table"),
}
"""What is left to `run_training_step` where the large steps are jobs."""
KNOW_TRAINING = ("run_training_step", "analyze_experiments", "erase_users")
LAYERS = {
    "authorize": {"personalization", "base", "cryptography"},
    "analyze_experiments": {"personalization", "base", "ranking"},
    "erase_users": {"personalization", "base", "ranking"},
    "refresh_recommendations": {"personalization", "base", "ranking"},
    "run_training_step": {"personalization", "base", "ranking"},
}


def test_every_folder_of_functions_is_deployed(assembly: Assembly) -> None:
    training = assembly.environment.training
    unused = set() if on_sagemaker(assembly) else {"build_image"}
    unused |= {"roll_back_model"} if training.rollback_hours is None else set()
    unused |= set() if assembly.environment.capabilities.secret_rotation else {"rotate_secret"}
    unused |= {"authorize"} if assembly.environment.access is Access.OPEN else set()
    assert assembly.lambdas.keys() == FUNCTIONS - unused


def test_every_handler_can_be_imported_under_its_deployed_name(assembly: Assembly) -> None:
    for function in assembly.lambdas.values():
        module, _, attribute = function.resource.properties["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))


def test_the_variables_of_a_function_are_the_fields_of_its_settings(assembly: Assembly) -> None:
    for name, function in assembly.lambdas.items():
        settings = importlib.import_module(f"functions.{name}.settings").Settings
        fields = {field.name.upper() for field in dataclasses.fields(settings)}
        assert function.variables.keys() - STANDARD_VARIABLES == fields, name
        assert function.variables.keys() >= STANDARD_VARIABLES, name
        assert function.variables["POWERTOOLS_SERVICE_NAME"] == name


def test_a_function_may_do_what_its_ports_need_and_no_more(assembly: Assembly) -> None:
    key_use = {("kms:Decrypt", "key")} if assembly.environment.customer_managed_key else set()
    of_reader = {("kinesis:DescribeStreamConsumer", "reader"), ("kinesis:SubscribeToShard", "reader")}
    for name, function in assembly.lambdas.items():
        expected = ALLOWED[name] | OF_EVERY_FUNCTION
        if name == "run_training_step" and on_sagemaker(assembly):
            expected = ON_SAGEMAKER | OF_EVERY_FUNCTION
        if name == "update_profiles" and assembly.environment.capabilities.enhanced_fan_out:
            expected |= of_reader
        if name in ("refresh_recommendations", "erase_users"):
            expected |= key_use
        assert function.allowed == expected, name


def test_listing_the_lake_is_allowed_for_what_is_read_of_it_only(assembly: Assembly) -> None:
    conditions = [
        statement["Condition"]
        for policy in assembly.of_type("AWS::IAM::Policy")
        if "EraseUsers" not in policy.logical_id
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Action"] == "s3:ListBucket" and "Lake" in str(statement["Resource"])
    ]
    prefixes = {condition["StringLike"]["s3:prefix"] for condition in conditions}
    of_people = {"exports/*", "erasures/receipts/*"}
    assert prefixes == {"events/*", "exposures/*", "experiments/*"} | of_people


def test_models_are_trained_by_code_that_is_named(assembly: Assembly) -> None:
    named = assembly.lambdas["run_training_step"].variables["CODE_VERSION"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", named)
    assert named == code_version()


def test_no_role_has_a_policy_that_aws_manages(assembly: Assembly) -> None:
    assert not [role for role in assembly.of_type("AWS::IAM::Role") if "ManagedPolicyArns" in role.properties]


def test_a_function_has_the_layers_of_its_job_and_no_others(assembly: Assembly) -> None:
    for name, function in assembly.lambdas.items():
        assert function.layers == LAYERS.get(name, {"personalization", "base"}), name


def test_every_asynchronous_source_has_a_failure_destination(assembly: Assembly) -> None:
    mappings = assembly.of_type("AWS::Lambda::EventSourceMapping")
    streams = [mapping for mapping in mappings if "StartingPosition" in mapping.properties]
    assert len(mappings) == 4
    assert len(streams) == 2
    for mapping in streams:
        assert mapping.properties["DestinationConfig"]["OnFailure"]["Destination"]
    for queue in ("RefreshQueue8", "ErasureQueue"):
        found = [row for row in assembly.of_type("AWS::SQS::Queue") if row.logical_id.startswith(queue)]
        assert any("deadLetterTargetArn" in row.properties.get("RedrivePolicy", {}) for row in found)
    schedules = assembly.of_type("AWS::Scheduler::Schedule")
    assert len(schedules) == 3
    for schedule in schedules:
        assert schedule.properties["Target"]["DeadLetterConfig"]["Arn"]
    for kind in ("AWS::SNS::Subscription", "AWS::S3::BucketNotification"):
        assert not assembly.of_type(kind)


def test_exposures_go_from_the_log_of_the_read_path_to_their_archiver(assembly: Assembly) -> None:
    """By a subscription that may call the function, of whose failures a queue is told."""
    subscription = assembly.one("AWS::Logs::SubscriptionFilter").properties
    assert "GetRecommendationsLogs" in str(subscription["LogGroupName"])
    assert "ArchiveExposures" in str(subscription["DestinationArn"])
    (permission,) = [
        row.properties
        for row in assembly.of_type("AWS::Lambda::Permission")
        if row.properties["Principal"] == "logs.amazonaws.com"
    ]
    assert "ArchiveExposures" in str(permission["FunctionName"])
    assert "GetRecommendationsLogs" in str(permission["SourceArn"])
    (config,) = [
        row.properties
        for row in assembly.of_type("AWS::Lambda::EventInvokeConfig")
        if "ArchiveExposures" in str(row.properties["FunctionName"])
    ]
    assert "ExposureArchiveFailed" in str(config["DestinationConfig"]["OnFailure"]["Destination"])
    assert config["MaximumRetryAttempts"] == 2


def test_exposures_are_lines_of_a_level_that_is_logged(assembly: Assembly) -> None:
    assert assembly.lambdas["get_recommendations"].variables["POWERTOOLS_LOG_LEVEL"] == "INFO"
    config = assembly.lambdas["get_recommendations"].resource.properties["LoggingConfig"]
    assert config.keys() == {"LogGroup"}, "another format or level would change or drop the lines"


def test_the_filter_of_the_subscription_lets_the_line_of_an_answer_through(assembly: Assembly) -> None:
    pattern = assembly.one("AWS::Logs::SubscriptionFilter").properties["FilterPattern"]
    exposure = Exposure(request_id="r", at=NOW, user_key="u", surface="home", list_id="l", source=Source.LIST)
    line = json.dumps({"message": MESSAGE, "exposure": msgspec.to_builtins(exposure)})
    assert all(term.strip('"') in line for term in pattern.split())


def test_an_alarm_rolls_back_only_where_the_environment_says_so(assembly: Assembly) -> None:
    hours = assembly.environment.training.rollback_hours
    rules = assembly.of_type("AWS::Events::Rule")
    assert bool(rules) is (hours is not None)
    for rule in rules:
        pattern = rule.properties["EventPattern"]
        assert pattern["detail"] == {"state": {"value": ["ALARM"]}}
        assert "ClickRateAlone" in str(pattern["resources"])
        (target,) = rule.properties["Targets"]
        assert "AutomaticRollbackFailed" in str(target["DeadLetterConfig"]["Arn"])
        assert assembly.lambdas["roll_back_model"].variables["ROLLBACK_HOURS"] == str(hours)
        (failures,) = [
            row
            for row in assembly.of_type("AWS::Lambda::EventInvokeConfig")
            if "RollBackModel" in str(row.properties["FunctionName"])
        ]
        destination = failures.properties["DestinationConfig"]["OnFailure"]["Destination"]
        assert "AutomaticRollbackFailed" in str(destination)


def test_an_asset_holds_its_own_function_and_nothing_of_its_neighbours(local: Assembly) -> None:
    for name, function in local.lambdas.items():
        asset = local.asset_of(function)
        packages = {"training"} if name in KNOW_TRAINING else set()
        assert {path.name for path in asset.iterdir()} == {"functions"} | packages
        assert {path.name for path in (asset / "functions").iterdir()} == {"__init__.py", name}
        assert not list(asset.rglob("__pycache__"))
        assert _sources(asset / "functions" / name) == _sources(ROOT / "functions" / name)
    page = local.asset_of(local.lambdas["serve_console"]) / "functions/serve_console/page"
    written = ROOT / "functions/serve_console/page"
    assert {file.name for file in page.iterdir()} == {file.name for file in written.iterdir()}


def _sources(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
