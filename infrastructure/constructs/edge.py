"""CloudFront and a firewall before the HTTP API: for browsers and apps, by address and by token."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infrastructure.fields import Edge
from infrastructure.suppressions import acknowledge

COUNTRY: Final = "CloudFront-Viewer-Country"
TRENDING: Final = "/v1/trending"
_FRESH: Final = Duration.seconds(10)
"""As long as a container keeps its own copy."""
_WINDOW_SECONDS: Final = 300
_COUNTED: Final = ("SizeRestrictions_BODY", "CrossSiteScripting_BODY")
"""Rules that would refuse what is good: batches above 8 KB, and texts, which are shown as text."""
_BY_TOKEN: Final = waf.CfnWebACL.RateBasedStatementCustomKeyProperty(
    header=waf.CfnWebACL.RateLimitHeaderProperty(
        name="authorization",
        text_transformations=[waf.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")],
    )
)
_ERRORS: Final = (400, 403, 404, 405, 414, 500, 501, 502, 503, 504)
"""What CloudFront would keep for 10 seconds and hand to others."""


class EdgeDistribution(Construct):
    """The distribution; nothing of it is cached but what is the same for everybody."""

    def __init__(self, scope: Construct, construct_id: str, *, edge: Edge) -> None:
        super().__init__(scope, construct_id)
        self.firewall = _firewall(self, edge)
        origin = origins.HttpOrigin(
            edge.api_host,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
        )
        certificate = acm.Certificate.from_certificate_arn(self, "Certificate", edge.certificate_arn)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            domain_names=[edge.domain],
            certificate=certificate,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            web_acl_id=self.firewall.attr_arn,
            default_behavior=self._behavior(origin, self._uncached()),
            additional_behaviors={TRENDING: self._behavior(origin, self._cached())},
            error_responses=[
                cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0)) for status in _ERRORS
            ],
        )
        acknowledge(
            self.distribution,
            {
                "AwsSolutions-CFR1": "Where a shop sells is not ours to say.",
                "AwsSolutions-CFR3": "Its log would hold user ids and addresses; the API logs each request "
                "without, and the firewall counts what it refuses.",
            },
        )

    def _behavior(
        self, origin: cloudfront.IOrigin, policy: cloudfront.ICachePolicy
    ) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=origin,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=policy,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        )

    def _uncached(self) -> cloudfront.CachePolicy:
        """Keep nothing: the API's answers name no time to live. What is named here is passed on as well."""
        return cloudfront.CachePolicy(
            self,
            "Uncached",
            min_ttl=Duration.seconds(0),
            default_ttl=Duration.seconds(0),
            # Above 0, or CloudFront takes no headers here, and so would not tell the country.
            max_ttl=Duration.seconds(1),
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list("Authorization", COUNTRY),
            query_string_behavior=cloudfront.CacheQueryStringBehavior.all(),
            cookie_behavior=cloudfront.CacheCookieBehavior.none(),
        )

    def _cached(self) -> cloudfront.CachePolicy:
        """Keep what is trending, by its one parameter; a refusal names no time to live, and is not kept."""
        return cloudfront.CachePolicy(
            self,
            "SameForAll",
            min_ttl=Duration.seconds(0),
            default_ttl=_FRESH,
            max_ttl=_FRESH,
            query_string_behavior=cloudfront.CacheQueryStringBehavior.allow_list("limit"),
            header_behavior=cloudfront.CacheHeaderBehavior.none(),
            cookie_behavior=cloudfront.CacheCookieBehavior.none(),
            enable_accept_encoding_gzip=True,
            enable_accept_encoding_brotli=True,
        )


def _firewall(scope: Construct, edge: Edge) -> waf.CfnWebACL:
    rules = [
        _rate("PerAddress", 0, edge.requests_per_address, "IP"),
        _rate("PerClient", 1, edge.requests_per_client, "CUSTOM_KEYS", custom_keys=[_BY_TOKEN]),
        _managed("AWSManagedRulesCommonRuleSet", 2, counted=_COUNTED),
        _managed("AWSManagedRulesKnownBadInputsRuleSet", 3),
    ]
    return waf.CfnWebACL(
        scope,
        "Firewall",
        scope="CLOUDFRONT",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visible("Firewall"),
        rules=rules,
    )


def _rate(
    name: str,
    priority: int,
    limit: int,
    key: str,
    *,
    custom_keys: list[waf.CfnWebACL.RateBasedStatementCustomKeyProperty] | None = None,
) -> waf.CfnWebACL.RuleProperty:
    """Refuse who asks more often than `limit` in five minutes, as the API's own throttle does."""
    refusal = waf.CfnWebACL.CustomResponseProperty(
        response_code=429,
        response_headers=[waf.CfnWebACL.CustomHTTPHeaderProperty(name="retry-after", value="60")],
    )
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                limit=limit,
                evaluation_window_sec=_WINDOW_SECONDS,
                aggregate_key_type=key,
                custom_keys=custom_keys,
            )
        ),
        action=waf.CfnWebACL.RuleActionProperty(
            block=waf.CfnWebACL.BlockActionProperty(custom_response=refusal)
        ),
        visibility_config=_visible(name),
    )


def _managed(name: str, priority: int, *, counted: tuple[str, ...] = ()) -> waf.CfnWebACL.RuleProperty:
    """Apply rules that AWS keeps; those that are `counted` refuse nothing."""
    overrides = [
        waf.CfnWebACL.RuleActionOverrideProperty(
            name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
        )
        for rule in counted
    ]
    group = waf.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name=name, rule_action_overrides=overrides or None
    )
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visible(name),
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
