"""The operators' console: a public page that is empty by itself, and data for those who may see it."""

from typing import Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.constructs.grants import (
    CATALOG,
    EXPERIMENTS,
    ITEMS,
    MODEL,
    SEGMENTS,
    USERS,
    allow,
    grant_items,
    grant_listing,
    grant_objects,
    grant_secret,
)
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.operators import SCOPE, Operators
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.web_api import Callers, WebApi
from infrastructure.fields import Environment
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.experiments import ExperimentsStack
from infrastructure.suppressions import acknowledge, acknowledge_alarms

PAGE: Final = "/v1/console"
DATA: Final = (
    "/v1/admin/alarms",
    "/v1/admin/click-rates",
    "/v1/admin/experiments",
    "/v1/admin/models",
    "/v1/admin/users/{user_id}",
)
_NO_SIGN_IN: Final = {"SIGN_IN_URL": "none", "CLIENT_ID": "none"}


class Console(Construct):
    """Two functions on the HTTP API: one serves the page and may read nothing, one reads for operators."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        api: WebApi,
        data: DataStack,
        experiments: ExperimentsStack,
        layers: Layers,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._layers: list[lambda_.ILayerVersion] = [layers.personalization, layers.base]
        self.url = f"{api.url}{PAGE}"
        sign_in = _NO_SIGN_IN
        if data.operators is not None:
            sign_in, authorizer = self._sign_in(data.operators)
            api.guard(Callers.OPERATORS, authorizer)
        page = self._page(sign_in)
        for path in (PAGE, f"{PAGE}/{{asset}}"):
            api.public_route(http.HttpMethod.GET, path, page)
        reader = self._reader(data, experiments)
        for path in DATA:
            api.route(http.HttpMethod.GET, path, reader, callers=Callers.OPERATORS, twin=False)

    def _sign_in(self, operators: Operators) -> tuple[dict[str, str], http.IHttpRouteAuthorizer]:
        client = operators.client(self, "Client", page_url=self.url)
        authorizer = authorizers.HttpUserPoolAuthorizer(
            "Operators", operators.pool, user_pool_clients=[client]
        )
        return {
            "SIGN_IN_URL": operators.sign_in_url,
            "CLIENT_ID": client.user_pool_client_id,
        }, authorizer

    def _page(self, sign_in: dict[str, str]) -> PythonFunction:
        return PythonFunction(
            self,
            "ServeConsole",
            name="serve_console",
            environment=self._environment,
            layers=self._layers,
            variables={
                "ENVIRONMENT_NAME": self._environment.name,
                "SCOPE": SCOPE,
                **sign_in,
            },
            memory_mb=256,
            timeout=Duration.seconds(5),
        )

    def _reader(self, data: DataStack, experiments: ExperimentsStack) -> PythonFunction:
        function = PythonFunction(
            self,
            "GetConsoleData",
            name="get_console_data",
            environment=self._environment,
            layers=self._layers,
            variables={
                "TABLE_NAME": data.table.table_name,
                "MODEL_BUCKET": data.models.bucket_name,
                "USER_KEY_SECRET_ARN": data.user_key_secret.secret_arn,
                "ALARM_PREFIX": f"attune-{self._environment.name}-",
                "EXPERIMENTS_ADDRESS": experiments.address,
                "CONSENT_DEFAULT": self._environment.consent_default,
            },
            memory_mb=512,
            timeout=Duration.seconds(20),
        )
        experiments.grant_read(function)
        keys = [USERS, SEGMENTS, ITEMS, CATALOG, MODEL, EXPERIMENTS]
        grant_items(data.table, function, "BatchGetItem", keys=keys)
        grant_listing(data.models, function, prefix="models/")
        grant_objects(data.models, "models/", function, "GetObject")
        grant_secret(data.user_key_secret, function)
        _grant_monitoring(function)
        return function


def _grant_monitoring(function: PythonFunction) -> None:
    """Allow reading metrics, of which CloudWatch lets a policy name none, and the account's alarms."""
    alarms = Stack.of(function).format_arn(
        service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    allow(function, iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[alarms]))
    allow(function, iam.PolicyStatement(actions=["cloudwatch:GetMetricData"], resources=["*"]))
    if function.role is not None:
        reason = "X-Ray's put actions and GetMetricData take no resource."
        acknowledge(function.role, {"AwsSolutions-IAM5[Resource::*]": reason})
        acknowledge_alarms(function.role)
