"""Whatever keeps data in `prod` is under the deployment's own key, and can be reached by TLS only."""

from typing import Any, Final

import pytest

from synth.assembly import Assembly, Resource

KEPT: Final = {
    "AWS::Athena::WorkGroup": "KmsKey",
    "AWS::DynamoDB::Table": "KMSMasterKeyId",
    "AWS::Kinesis::Stream": "KeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::S3::Bucket": "KMSMasterKeyID",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
}
"""Type -> the property that names the key."""
UNDER_KEYS_OF_AWS: Final = {
    "AWS::AppConfig::HostedConfigurationVersion": "definitions of experiments and settings, no data",
    "AWS::Cognito::UserPool": "operators, not users; Cognito takes no key",
    "AWS::ECR::Repository": "an image made of the repository's own files",
    "AWS::Glue::Database": "names of columns",
    "AWS::Glue::Table": "names of columns",
    "AWS::StepFunctions::StateMachine": "names of runs, figures of models",
    "AWS::CloudWatch::Dashboard": "names of metrics",
}
DOING: Final = (
    "AWS::ApiGatewayV2::",
    "AWS::AppConfig::",
    "AWS::Athena::NamedQuery",
    "AWS::Budgets::",
    "AWS::CDK::",
    "AWS::CloudFront::",
    "AWS::CloudWatch::",
    "AWS::CodeBuild::",
    "AWS::CodeDeploy::",
    "AWS::Cognito::UserPool",
    "AWS::Events::",
    "AWS::IAM::",
    "AWS::KMS::",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Lambda::",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::SubscriptionFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::",
    "AWS::SecretsManager::",
    "AWS::WAFv2::",
    "Custom::",
)
"""Beginnings of types that do something, or say who may, and keep nothing."""


def keys_of(properties: Any, name: str) -> list[Any]:
    """Every value of a property of this name, however deep."""
    if isinstance(properties, list):
        return [found for value in properties for found in keys_of(value, name)]
    if not isinstance(properties, dict):
        return []
    own = [properties[name]] if name in properties else []
    return own + [found for value in properties.values() for found in keys_of(value, name)]


def under_the_key(resource: Resource) -> bool:
    named = keys_of(resource.properties, KEPT[resource.type])
    shown = [str(value) for value in named]
    return bool(shown) and all("'Fn::GetAtt': ['Key" in text or "FnGetAttKey" in text for text in shown)


@pytest.mark.parametrize("type_", KEPT)
def test_prod_keeps_all_data_under_its_own_key(prod: Assembly, type_: str) -> None:
    found = prod.of_type(type_)
    assert found
    assert [row.logical_id for row in found if not under_the_key(row)] == []


def test_every_type_of_resource_is_known_to_keep_data_or_not(assembly: Assembly) -> None:
    types = {row.type for row in assembly.resources} - KEPT.keys() - UNDER_KEYS_OF_AWS.keys()
    assert [type_ for type_ in sorted(types) if not type_.startswith(DOING)] == []


def test_the_key_is_rotated_and_trusts_services_on_behalf_of_this_account_only(prod: Assembly) -> None:
    key = prod.one("AWS::KMS::Key").properties
    assert key["EnableKeyRotation"] is True
    trusted = {row["Sid"]: row for row in key["KeyPolicy"]["Statement"] if "Sid" in row}
    services = trusted["AllowDataServicesOnBehalfOfThisAccount"]
    assert services["Principal"] == {"AWS": "*"}
    assert services["Condition"]["StringEquals"].keys() == {"kms:CallerAccount", "kms:ViaService"}
    alarms = trusted["AllowAlarmsAndBudgets"]
    assert alarms["Principal"]["Service"] == ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert trusted["AllowRules"]["Principal"] == {"Service": "events.amazonaws.com"}
    (context,) = trusted["AllowLogs"]["Condition"]["ArnLike"].items()
    assert context[0] == "kms:EncryptionContext:aws:logs:arn"
    assert ":log-group:attune-prod-*" in str(context[1])


def test_no_service_may_use_the_key_for_more_than_sending_but_logs(prod: Assembly) -> None:
    for row in prod.one("AWS::KMS::Key").properties["KeyPolicy"]["Statement"]:
        if row.get("Sid") in ("AllowAlarmsAndBudgets", "AllowRules"):
            assert row["Action"] == ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]


def test_no_bucket_is_public_and_those_of_prod_ask_the_key_seldom(assembly: Assembly, prod: Assembly) -> None:
    for bucket in assembly.of_type("AWS::S3::Bucket"):
        blocked = bucket.properties["PublicAccessBlockConfiguration"]
        assert blocked == dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        )
    for bucket in prod.of_type("AWS::S3::Bucket"):
        assert keys_of(bucket.properties, "BucketKeyEnabled") == [True]


@pytest.mark.parametrize(
    ("kind", "policy", "names"),
    [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
    ],
)
def test_buckets_topics_and_queues_refuse_what_comes_without_tls(
    assembly: Assembly, kind: str, policy: str, names: str
) -> None:
    refusing = [
        str(row.properties[names])
        for row in assembly.of_type(policy)
        for statement in row.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]
    for resource in assembly.of_type(kind):
        assert any(f"'{resource.logical_id}'" in text for text in refusing), resource.logical_id
