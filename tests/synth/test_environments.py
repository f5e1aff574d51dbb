"""What each environment's templates hold, and what they must not."""

import dataclasses
import json
from typing import Any

import pytest

from infrastructure.environments import LOCAL, PROD, environment_named
from infrastructure.errors import UnknownEnvironmentError, UnsupportedEngineError
from tests.synth.assembly import Assembly

REFUSED_BY_THE_LOCAL_AWS = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::Kinesis::StreamConsumer",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::WAFv2::WebACLAssociation",
}
STATEFUL = {
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}
DATA_STACK = "data"
LONGEST_WINDOW_SECONDS = 300  # of a mapping that reads Kinesis


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownEnvironmentError, match="choose one of dev, local, prod"):
        environment_named("production")


def test_the_stage_is_throttled_and_logs_neither_user_ids_nor_addresses(assembly: Assembly) -> None:
    stage = assembly.one("AWS::ApiGatewayV2::Stage").properties
    throttle = assembly.environment.throttle
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == throttle.requests_per_second
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == throttle.burst
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert not logged & {"$context.path", "$context.identity.sourceIp", "$context.identity.userAgent"}


def test_local_holds_nothing_that_the_local_aws_refuses(local: Assembly) -> None:
    types = {resource.type for resource in local.resources}
    assert not types & REFUSED_BY_THE_LOCAL_AWS
    assert not [type_ for type_ in types if type_.startswith(("AWS::SageMaker", "AWS::CodeDeploy"))]


def test_the_only_custom_resource_is_the_image_of_the_jobs(assembly: Assembly) -> None:
    types = [resource.type for resource in assembly.resources]
    custom = [type_ for type_ in types if type_.startswith(("Custom::", "AWS::CloudFormation::Custom"))]
    assert custom == (["Custom::JobImage"] if assembly.environment.name == "prod" else [])
    runtimes = {function.resource.properties["Runtime"] for function in assembly.lambdas.values()}
    assert runtimes == {"python3.13"}


def test_an_engine_that_its_aws_does_not_have_is_refused() -> None:
    with pytest.raises(UnsupportedEngineError, match="'local' has no SageMaker; choose LambdaEngine"):
        dataclasses.replace(LOCAL, training=PROD.training)


def test_prod_has_every_capability(prod: Assembly) -> None:
    assert prod.of_type("AWS::Kinesis::StreamConsumer")
    assert prod.of_type("AWS::Budgets::Budget")
    watched = [str(alarm.properties.get("Metrics")) for alarm in prod.of_type("AWS::CloudWatch::Alarm")]
    assert any("ANOMALY_DETECTION_BAND" in metrics for metrics in watched)


def test_every_lambda_is_traced_and_runs_on_the_architecture_of_its_wheels(assembly: Assembly) -> None:
    for function in assembly.lambdas.values():
        assert function.resource.properties["TracingConfig"] == {"Mode": "Active"}
        assert function.resource.properties["Architectures"] == [assembly.environment.architecture]
    for layer in assembly.of_type("AWS::Lambda::LayerVersion"):
        assert layer.properties["CompatibleArchitectures"] == [assembly.environment.architecture]


def test_every_log_group_expires_and_every_lambda_has_its_own(assembly: Assembly) -> None:
    for group in assembly.of_type("AWS::Logs::LogGroup"):
        assert group.properties["RetentionInDays"] == assembly.environment.log_retention_days
    groups = [
        (function.resource.stack, function.resource.properties["LoggingConfig"]["LogGroup"]["Ref"])
        for function in assembly.lambdas.values()
    ]
    assert len(set(groups)) == len(groups)


def test_profiles_are_updated_within_a_second_and_failures_are_bounded(assembly: Assembly) -> None:
    mapping = _mapping(assembly, "UpdateProfiles")
    stream = assembly.environment.stream
    assert mapping["MaximumBatchingWindowInSeconds"] == stream.profile_window_seconds <= 1
    assert mapping["ParallelizationFactor"] == stream.profile_batches_per_shard
    assert mapping["BatchSize"] == stream.profile_batch
    for function in ("UpdateProfiles", "ArchiveEvents"):
        mapping = _mapping(assembly, function)
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["MaximumRetryAttempts"] == 200
        assert 0 < mapping["MaximumRecordAgeInSeconds"] < stream.retention_hours * 3600
        assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_the_lake_gets_few_objects(assembly: Assembly) -> None:
    mapping = _mapping(assembly, "ArchiveEvents")
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["BatchSize"] == 5_000
    assert mapping["MaximumBatchingWindowInSeconds"] == assembly.environment.stream.archive_window_seconds
    if not assembly.environment.runs_on_this_machine:
        assert 60 <= mapping["MaximumBatchingWindowInSeconds"] <= LONGEST_WINDOW_SECONDS


def test_prod_updates_profiles_in_parallel_through_a_reader_of_its_own(prod: Assembly) -> None:
    mapping = _mapping(prod, "UpdateProfiles")
    assert mapping["ParallelizationFactor"] > 1
    assert "Reader" in str(mapping["EventSourceArn"])
    assert "Reader" not in str(_mapping(prod, "ArchiveEvents")["EventSourceArn"])


def test_a_refresh_starts_at_once_and_a_message_is_hidden_longer_than_it_may_take(assembly: Assembly) -> None:
    mapping = _mapping(assembly, "RefreshRecommendations")
    assert mapping["BatchSize"] == 10
    assert mapping["MaximumBatchingWindowInSeconds"] == 0
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = assembly.one("AWS::SQS::Queue", "RefreshQueue8").properties
    timeout = assembly.lambdas["refresh_recommendations"].resource.properties["Timeout"]
    assert queue["VisibilityTimeout"] >= 6 * timeout


def test_a_refresh_has_room_for_a_model_of_half_a_million_items(assembly: Assembly) -> None:
    scratch = assembly.lambdas["refresh_recommendations"].resource.properties["EphemeralStorage"]
    assert scratch["Size"] * 2**20 >= 500_000 * 2_500


def test_the_table_expires_items_and_can_be_restored(assembly: Assembly) -> None:
    table = assembly.one("AWS::DynamoDB::Table").properties
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is assembly.environment.retain_data


def test_data_outlives_its_stack_in_prod_and_goes_with_it_elsewhere(assembly: Assembly) -> None:
    policy = "Retain" if assembly.environment.retain_data else "Delete"
    stateful = [resource for resource in assembly.resources if resource.type in STATEFUL]
    assert stateful
    for resource in stateful:
        assert resource.stack.endswith(DATA_STACK)
        assert resource.body["DeletionPolicy"] == policy, resource.logical_id


def test_the_stream_has_the_capacity_of_its_environment(assembly: Assembly) -> None:
    stream, capacity = assembly.one("AWS::Kinesis::Stream").properties, assembly.environment.stream
    mode = "PROVISIONED" if capacity.shards else "ON_DEMAND"
    assert stream["StreamModeDetails"] == {"StreamMode": mode}
    assert stream.get("ShardCount") == capacity.shards
    assert stream["RetentionPeriodHours"] == capacity.retention_hours


def test_training_starts_nightly_and_the_analysis_hourly_but_not_on_a_laptop(assembly: Assembly) -> None:
    schedules = [row.properties for row in assembly.of_type("AWS::Scheduler::Schedule")]
    states = {schedule["ScheduleExpression"]: schedule["State"] for schedule in schedules}
    assert states.pop("cron(40 * * * ? *)") == "ENABLED", "erasures are looked after everywhere"
    expected = "DISABLED" if assembly.environment.name == "local" else "ENABLED"
    assert states == dict.fromkeys(("cron(0 3 * * ? *)", "cron(10 * * * ? *)"), expected)


def test_what_is_rewritten_is_gone_as_soon_as_receipts_say(assembly: Assembly) -> None:
    said = json.loads(assembly.lambdas["erase_users"].variables["RETENTION"])
    kept = {
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for bucket in assembly.of_type("AWS::S3::Bucket")
        for rule in bucket.properties["LifecycleConfiguration"]["Rules"]
        if "VersioningConfiguration" in bucket.properties and "NoncurrentVersionExpiration" in rule
    }
    assert kept == {days for what, days in said.items() if what == "replaced objects of the lake"}


def test_a_receipt_names_what_is_kept_as_long_as_the_template_keeps_it(assembly: Assembly) -> None:
    days = json.loads(assembly.lambdas["erase_users"].variables["RETENTION"])
    environment = assembly.environment
    assert days["stream records"] * 24 == environment.stream.retention_hours
    assert days["log lines"] == environment.log_retention_days
    assert ("backups of profiles" in days) is environment.point_in_time_recovery
    dead = [row.properties for row in assembly.of_type("AWS::SQS::Queue")]
    assert days["failed messages"] * 86_400 == max(row["MessageRetentionPeriod"] for row in dead)
    rules = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for bucket in assembly.of_type("AWS::S3::Bucket")
        for rule in bucket.properties["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule
    }
    assert (days["tombstone"], days["training arrays without keys"]) == (rules["erasures/"], rules["runs/"])
    assert days["answers to queries"] == rules["athena/"]


def test_an_erasure_waits_until_what_came_before_is_in_the_lake(assembly: Assembly) -> None:
    (queue,) = [row for row in assembly.of_type("AWS::SQS::Queue") if "DelaySeconds" in row.properties]
    assert queue.properties["DelaySeconds"] >= assembly.environment.stream.archive_window_seconds + 60
    assert queue.properties["DelaySeconds"] <= 300
    assert queue.properties["VisibilityTimeout"] == 900


def test_the_outputs_lead_to_everything_that_a_person_or_a_tool_needs(assembly: Assembly) -> None:
    outputs = {name for template in assembly.templates.values() for name in template.get("Outputs", {})}
    assert outputs >= {
        "AlertTopicArn",
        "ApiId",
        "ApiUrl",
        "ConsoleUrl",
        "DashboardName",
        "ExperimentsDashboardName",
        "GuestSecretArn",
        "LakeBucketName",
        "ModelBucketName",
        "PageTopicArn",
        "RefreshQueueUrl",
        "StateMachineArn",
        "StreamName",
        "TableName",
        "TokenSecretArn",
        "UserKeySecretArn",
    }


def _mapping(assembly: Assembly, function: str) -> dict[str, Any]:
    (found,) = [
        mapping.properties
        for mapping in assembly.of_type("AWS::Lambda::EventSourceMapping")
        if mapping.properties["FunctionName"]["Ref"].startswith(function)
    ]
    return dict(found)
