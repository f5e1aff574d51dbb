"""The HTTP API in front of the functions."""

import json
from typing import Final

from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from infrastructure.constructs.gradual_rollout import roll_out_gradually
from infrastructure.constructs.logs import log_group
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
    }
)


class WebApi(Construct):
    """An HTTP API with one throttled, logged stage; every route asks for what the environment says."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        self.api = http.HttpApi(
            self,
            "Api",
            create_default_stage=False,
            default_authorizer=_authorizer(environment.access),
        )
        self.access_logs = log_group(self, "AccessLogs", environment=environment)
        self.stage = self._stage(environment)
        if environment.access is Access.OPEN:
            acknowledge(self, {"AwsSolutions-APIG4": "Only the local AWS has this account number."})

    @property
    def url(self) -> str:
        """Root of the routes, without a slash at the end."""
        return self.api.api_endpoint

    def route(
        self,
        method: http.HttpMethod,
        path: str,
        function: PythonFunction,
        *,
        authorizer: http.IHttpRouteAuthorizer | None = None,
        scope: str | None = None,
    ) -> http.HttpRoute:
        """Have `function` answer `method path`; it gets events of payload format 2.0.

        Parameters
        ----------
        authorizer
            Asked instead of what the environment says; its tokens must carry `scope`.
        """
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
            authorization_scopes=[scope] if authorizer and scope else None,
        )
        # An update that has the route call another function lets it do so first.
        route.node.find_child(name).node.add_dependency(route.node.find_child(f"{name}-Permission"))
        return route

    def public_route(self, method: http.HttpMethod, path: str, function: PythonFunction) -> None:
        """Have `function` answer everybody, whatever the environment says: it must have nothing to hide."""
        route = self.route(method, path, function, authorizer=http.HttpNoneAuthorizer())
        acknowledge(route, {"AwsSolutions-APIG4": "A page for everybody, without data; its data is guarded."})

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


def _authorizer(access: Access) -> http.IHttpRouteAuthorizer | None:
    return authorizers.HttpIamAuthorizer() if access is Access.IAM else None
