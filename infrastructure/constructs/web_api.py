"""The HTTP API in front of the functions."""

import json
import re
from enum import Enum
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.gradual_rollout import roll_out_gradually
from infrastructure.constructs.logs import log_group
from infrastructure.constructs.operators import SCOPE
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.fields import Access, Environment
from infrastructure.suppressions import acknowledge

# The route's pattern, not the path, and no address: a path holds a user id, and users are pseudonymous
# from the first hop on.
_ACCESS_LOG: Final = json.dumps(
    {
        "request_id": "$context.requestId",
        "time": "$context.requestTime",
        "route": "$context.routeKey",
        "status": "$context.status",
        "response_bytes": "$context.responseLength",
        "latency_ms": "$context.responseLatency",
        "integration_error": "$context.integrationErrorMessage",
        "authorizer_error": "$context.authorizer.error",
    }
)
ROOT: Final = "/v1"
SERVER_ROOT: Final = "/v1/server"
"""Of the routes for backends, which sign their requests; each of the others has its twin there."""
REMEMBERED: Final = Duration.minutes(5)
"""So long does the gateway remember what a token said; its end is looked at in every request."""


class Callers(Enum):
    """Who may call a route."""

    USERS = "browsers and apps, with a token of their user"
    OPERATORS = "people with the scope of administration"
    BACKENDS = "principals of the account allowed `execute-api:Invoke`, with signed requests"


_SELDOM: Final = re.compile(r"/v1(/server)?/(admin|console|experiments|items)(/|$)")
"""Routes that cost more than they are called for: a loop of one operator must not use up what users need."""


class WebApi(Construct):
    """An HTTP API with one throttled, logged stage; every route has the guard of its callers.

    In an open environment no route has any.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        authorize: PythonFunction | None,
    ) -> None:
        """Define the API.

        Parameters
        ----------
        authorize
            Reads the tokens of browsers and apps; needed unless the environment is open.
        """
        super().__init__(scope, construct_id)
        self.api = http.HttpApi(
            self, "Api", create_default_stage=False, cors_preflight=_cors(environment.allowed_origins)
        )
        self._throttle = environment.throttle
        self.access_logs = log_group(self, "AccessLogs", environment=environment)
        self.stage = self._stage(environment)
        self._limits: dict[str, dict[str, object]] = {}
        self._guards: dict[Callers, http.IHttpRouteAuthorizer] = {}
        if environment.access is Access.OPEN:
            acknowledge(self, {"AwsSolutions-APIG4": "Only the local AWS has this account number."})
            self._guards = dict.fromkeys(Callers, http.HttpNoneAuthorizer())
        elif authorize is not None:
            roll_out_gradually(authorize, answers_people=True)
            self.guard(Callers.USERS, _reads_tokens(authorize.live))
            self.guard(Callers.BACKENDS, authorizers.HttpIamAuthorizer())

    @property
    def url(self) -> str:
        """Root of the routes, without a slash at the end."""
        return self.api.api_endpoint

    def guard(self, callers: Callers, authorizer: http.IHttpRouteAuthorizer) -> None:
        """Have `authorizer` decide who is one of `callers`; before the first route for them."""
        self._guards.setdefault(callers, authorizer)

    def route(
        self,
        method: http.HttpMethod,
        path: str,
        function: PythonFunction,
        *,
        callers: Callers = Callers.USERS,
        twin: bool = True,
    ) -> None:
        """Have `function` answer `method path`; it gets events of payload format 2.0.

        Parameters
        ----------
        twin
            Backends may call it as well, under `SERVER_ROOT`.
        """
        self._add(method, path, function, self._guards[callers], [SCOPE] if self._asks(callers) else None)
        if twin and callers is not Callers.BACKENDS:
            signed = f"{SERVER_ROOT}{path.removeprefix(ROOT)}"
            self._add(method, signed, function, self._guards[Callers.BACKENDS])

    def public_route(self, method: http.HttpMethod, path: str, function: PythonFunction) -> None:
        """Have `function` answer everybody, whatever the environment says: it must have nothing to hide."""
        route = self._add(method, path, function, http.HttpNoneAuthorizer())
        acknowledge(route, {"AwsSolutions-APIG4": "A page for everybody, without data; its data is guarded."})

    def _asks(self, callers: Callers) -> bool:
        """Whether a token has to carry the scope of administration."""
        guard = self._guards[callers]
        return callers is Callers.OPERATORS and not isinstance(guard, http.HttpNoneAuthorizer)

    def _add(
        self,
        method: http.HttpMethod,
        path: str,
        function: PythonFunction,
        authorizer: http.IHttpRouteAuthorizer,
        scopes: list[str] | None = None,
    ) -> http.HttpRoute:
        roll_out_gradually(function, answers_people=True)
        name = f"{function.node.id}Integration"
        integration = integrations.HttpLambdaIntegration(
            name,
            function.live,
            payload_format_version=http.PayloadFormatVersion.VERSION_2_0,
        )
        (route,) = self.api.add_routes(
            path=path,
            methods=[method],
            integration=integration,
            authorizer=authorizer,
            authorization_scopes=scopes,
        )
        # An update that has the route call another function lets it do so first.
        route.node.find_child(name).node.add_dependency(route.node.find_child(f"{name}-Permission"))
        if _SELDOM.match(path):
            self._limit(route, f"{method.value} {path}")
        return route

    def _limit(self, route: http.HttpRoute, key: str) -> None:
        """Throttle one route below what the stage lets pass; the stage must come after it."""
        rate = self._throttle.seldom_per_second
        self._limits[key] = {
            "DetailedMetricsEnabled": True,
            "ThrottlingRateLimit": rate,
            "ThrottlingBurstLimit": 2 * rate,
        }
        self.stage.route_settings = self._limits
        self.stage.node.add_dependency(route)

    def _stage(self, environment: Environment) -> http.CfnStage:
        return http.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=http.CfnStage.RouteSettingsProperty(
                detailed_metrics_enabled=True,
                throttling_rate_limit=environment.throttle.requests_per_second,
                throttling_burst_limit=environment.throttle.burst,
            ),
            access_log_settings=http.CfnStage.AccessLogSettingsProperty(
                destination_arn=self.access_logs.log_group_arn, format=_ACCESS_LOG
            ),
        )


def _reads_tokens(authorize: lambda_.IFunction) -> http.IHttpRouteAuthorizer:
    return authorizers.HttpLambdaAuthorizer(
        "Users",
        authorize,
        response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
        identity_source=["$request.header.Authorization"],
        results_cache_ttl=REMEMBERED,
    )


def _cors(origins: tuple[str, ...]) -> http.CorsPreflightOptions | None:
    """Let scripts of these origins call with a token; never with cookies, which Attune has none of."""
    if not origins:
        return None
    methods = http.CorsHttpMethod
    return http.CorsPreflightOptions(
        allow_origins=list(origins),
        allow_methods=[methods.GET, methods.POST, methods.PUT, methods.DELETE],
        allow_headers=["authorization", "content-type"],
        expose_headers=["retry-after"],
        max_age=Duration.hours(1),
    )
