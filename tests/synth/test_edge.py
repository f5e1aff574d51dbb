"""The distribution and the firewall before the API, for an environment that asks for them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infrastructure.app import define
from infrastructure.environments import ENVIRONMENTS, PROD
from infrastructure.fields import Edge
from tests.synth.assembly import Assembly
from tests.synth.conftest import app_without_bundling

EDGE = Edge(
    domain="personal.shop.example",
    certificate_arn="arn:aws:acm:us-east-1:111111111111:certificate/12345678-1234-1234-1234-123456789012",
    api_host="abc123.execute-api.eu-west-1.amazonaws.com",
    requests_per_address=6_000,
    requests_per_client=600,
)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """A synthesis with the edge; cdk-nag runs on it as on any other, and fails it."""
    app = app_without_bundling(tmp_path_factory.mktemp("edge"))
    define(app, replace(PROD, edge=EDGE, region="eu-west-1", account="111111111111"))
    return Assembly(Path(app.synth().directory))


def properties(edge: Assembly, kind: str) -> dict[str, Any]:
    return edge.one(kind).properties


def behaviors(edge: Assembly) -> dict[str, dict[str, Any]]:
    config = properties(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]
    return {"*": config["DefaultCacheBehavior"]} | {
        row["PathPattern"]: row for row in config["CacheBehaviors"]
    }


def policy(edge: Assembly, behavior: dict[str, Any]) -> dict[str, Any]:
    wanted = behavior["CachePolicyId"]["Ref"]
    (found,) = [row for row in edge.of_type("AWS::CloudFront::CachePolicy") if row.logical_id == wanted]
    return found.properties["CachePolicyConfig"]


def test_no_environment_has_an_edge_unless_it_names_a_domain(assembly: Assembly) -> None:
    assert all(environment.edge is None for environment in ENVIRONMENTS.values())
    assert not assembly.of_type("AWS::CloudFront::Distribution")
    assert not assembly.of_type("AWS::WAFv2::WebACL")


def test_the_edge_takes_tls_of_this_day_only_and_speaks_it_to_the_api(edge: Assembly) -> None:
    config = properties(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["Aliases"] == [EDGE.domain]
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert {row["ViewerProtocolPolicy"] for row in behaviors(edge).values()} == {"https-only"}
    (origin,) = config["Origins"]
    assert origin["DomainName"] == EDGE.api_host
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_nothing_is_cached_but_what_is_the_same_for_everybody(edge: Assembly) -> None:
    assert set(behaviors(edge)) == {"*", "/v1/trending"}
    personal, shared = (policy(edge, behaviors(edge)[path]) for path in ("*", "/v1/trending"))
    assert (personal["MinTTL"], personal["DefaultTTL"]) == (0, 0)
    key = shared["ParametersInCacheKeyAndForwardedToOrigin"]
    assert shared["MaxTTL"] == 10
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "whitelist", "QueryStrings": ["limit"]}
    errors = properties(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]["CustomErrorResponses"]
    assert {row["ErrorCode"]: row["ErrorCachingMinTTL"] for row in errors} == dict.fromkeys(
        (400, 403, 404, 405, 414, 500, 501, 502, 503, 504), 0
    )


def test_the_country_and_the_token_reach_the_api(edge: Assembly) -> None:
    key = policy(edge, behaviors(edge)["*"])["ParametersInCacheKeyAndForwardedToOrigin"]
    assert set(key["HeadersConfig"]["Headers"]) == {"Authorization", "CloudFront-Viewer-Country"}
    # AWS's own policy "AllViewerExceptHostHeader": the API answers to its own host only.
    managed = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert {row["OriginRequestPolicyId"] for row in behaviors(edge).values()} == {managed}


def test_the_firewall_counts_by_address_and_by_token_and_knows_the_usual_attacks(edge: Assembly) -> None:
    firewall = properties(edge, "AWS::WAFv2::WebACL")
    assert firewall["Scope"] == "CLOUDFRONT"
    rules = {rule["Name"]: rule for rule in firewall["Rules"]}
    limits = {name: rules[name]["Statement"]["RateBasedStatement"] for name in ("PerAddress", "PerClient")}
    assert (limits["PerAddress"]["Limit"], limits["PerAddress"]["AggregateKeyType"]) == (6_000, "IP")
    (by,) = limits["PerClient"]["CustomKeys"]
    assert (limits["PerClient"]["Limit"], by["Header"]["Name"]) == (600, "authorization")
    for name in limits:
        assert rules[name]["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
    for name in ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"):
        assert rules[name]["Statement"]["ManagedRuleGroupStatement"]["Name"] == name
        assert rules[name]["OverrideAction"] == {"None": {}}
    distribution = properties(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert distribution["WebACLId"]["Fn::GetAtt"][1] == "Arn"


def test_a_batch_of_events_is_not_taken_for_an_attack(edge: Assembly) -> None:
    firewall = properties(edge, "AWS::WAFv2::WebACL")
    (common,) = [rule for rule in firewall["Rules"] if rule["Name"] == "AWSManagedRulesCommonRuleSet"]
    overrides = common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert {row["Name"]: row["ActionToUse"] for row in overrides} == {
        "SizeRestrictions_BODY": {"Count": {}},
        "CrossSiteScripting_BODY": {"Count": {}},
    }


SELDOM = ("/v1/admin/", "/v1/console", "/v1/experiments", "/v1/items")


def test_routes_that_no_page_view_calls_have_limits_of_their_own(assembly: Assembly) -> None:
    stage = assembly.one("AWS::ApiGatewayV2::Stage")
    rate = assembly.environment.throttle.seldom_per_second
    settings = stage.properties["RouteSettings"]
    routes = {
        row.properties["RouteKey"]: row.logical_id for row in assembly.of_type("AWS::ApiGatewayV2::Route")
    }
    expected = {key for key in routes if key.split()[1].replace("/server", "").startswith(SELDOM)}
    assert expected
    assert set(settings) == expected
    assert {row["ThrottlingRateLimit"] for row in settings.values()} == {rate}
    assert rate < assembly.environment.throttle.requests_per_second
    # A stage can't name a route that is not there yet.
    assert {routes[key] for key in expected} <= set(stage.body["DependsOn"])
