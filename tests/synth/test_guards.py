"""Who may call which route, in every environment; that nothing is open by mistake; and whose pages may."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as http

from infrastructure.api.document import document
from infrastructure.api.routes import ROUTES, SERVER_ROUTES, Callers
from infrastructure.app import define
from infrastructure.constructs.closed_routes import PUBLIC
from infrastructure.constructs.operators import SCOPE
from infrastructure.environments import DEV, ENVIRONMENTS, LOCAL, LOCAL_ACCOUNT, PROD
from infrastructure.errors import InvalidAccessError
from infrastructure.fields import Access, Environment, IdentityProvider
from tests.synth.assembly import Assembly
from tests.synth.conftest import app_without_bundling

PROVIDER = IdentityProvider(
    issuer="https://id.shop.example", audience="attune", keys_url="https://id.shop.example/keys"
)
ORIGINS = ("https://shop.example", "https://www.shop.example:8443")
GUARDS = {Callers.USERS: "CUSTOM", Callers.OPERATORS: "JWT", Callers.BACKENDS: "AWS_IAM"}


def routes(assembly: Assembly) -> dict[str, Any]:
    return {
        row.properties["RouteKey"]: row.properties for row in assembly.of_type("AWS::ApiGatewayV2::Route")
    }


def test_only_local_is_open_and_local_deploys_nowhere_but_into_the_local_aws() -> None:
    for environment in ENVIRONMENTS.values():
        assert (environment.access is Access.OPEN) == (environment.account == LOCAL_ACCOUNT)


def test_every_route_has_the_guard_of_its_callers(assembly: Assembly) -> None:
    found = routes(assembly)
    for route in (*ROUTES, *SERVER_ROUTES):
        properties = found[f"{route.method} {route.path}"]
        is_open = assembly.environment.access is Access.OPEN
        assert properties["AuthorizationType"] == ("NONE" if is_open else GUARDS[route.callers])
        scopes = [SCOPE] if route.callers is Callers.OPERATORS and not is_open else None
        assert properties.get("AuthorizationScopes") == scopes


def test_outside_local_no_route_is_open_but_the_page_of_the_console(dev: Assembly, prod: Assembly) -> None:
    for assembly in (dev, prod):
        found = routes(assembly)
        assert {key for key, row in found.items() if row["AuthorizationType"] == "NONE"} == PUBLIC
        for key, row in found.items():
            assert row["AuthorizationType"] in ("NONE", "AWS_IAM") or row["AuthorizerId"], key


def test_what_lies_below_server_asks_for_a_signature_and_nothing_else_does(dev: Assembly) -> None:
    for key, row in routes(dev).items():
        assert (row["AuthorizationType"] == "AWS_IAM") == (" /v1/server/" in key), key


def test_a_token_is_remembered_by_the_whole_header_for_minutes(dev: Assembly) -> None:
    authorizer = dev.one("AWS::ApiGatewayV2::Authorizer", "Users").properties
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300


@pytest.mark.parametrize("environment", [DEV, PROD], ids=lambda environment: environment.name)
def test_an_open_environment_can_be_defined_for_this_machine_only(environment: Environment) -> None:
    with pytest.raises(InvalidAccessError, match="only the local AWS may be open"):
        dataclasses.replace(environment, access=Access.OPEN)


@pytest.mark.parametrize("kind", [None, "NONE"])
def test_an_open_route_fails_the_synthesis_wherever_it_was_defined(kind: str | None, tmp_path: Path) -> None:
    app = app_without_bundling(tmp_path)
    define(app, DEV)
    http.CfnRoute(
        Stack(app, "careless"), "Route", api_id="any", route_key="GET /v1/all", authorization_type=kind
    )
    with pytest.raises(RuntimeError, match="GET /v1/all is open to everybody; guard it"):
        app.synth()


def test_a_guarded_environment_without_a_provider_lets_in_guests_alone(dev: Assembly) -> None:
    variables = dev.lambdas["authorize"].variables
    assert {variables[name] for name in ("ISSUER", "AUDIENCE", "KEYS_URL")} == {"none"}


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """`dev` with an identity provider, and a shop whose pages call."""
    app = app_without_bundling(tmp_path_factory.mktemp("connected"))
    define(app, dataclasses.replace(DEV, identity_provider=PROVIDER, allowed_origins=ORIGINS))
    return Assembly(Path(app.synth().directory))


def test_the_fields_of_the_provider_reach_the_authorizer(connected: Assembly) -> None:
    variables = connected.lambdas["authorize"].variables
    assert variables["ISSUER"] == PROVIDER.issuer
    assert variables["AUDIENCE"] == PROVIDER.audience
    assert variables["KEYS_URL"] == PROVIDER.keys_url


def test_pages_of_listed_origins_may_call_with_a_token_and_without_cookies(connected: Assembly) -> None:
    cors = connected.one("AWS::ApiGatewayV2::Api").properties["CorsConfiguration"]
    assert cors["AllowOrigins"] == list(ORIGINS)
    assert cors["AllowHeaders"] == ["authorization", "content-type"]
    assert not cors.get("AllowCredentials")
    assert "*" not in json.dumps(cors)


def test_no_page_of_another_origin_may_call_unless_the_environment_lists_it(assembly: Assembly) -> None:
    assert assembly.environment.allowed_origins == ()
    assert "CorsConfiguration" not in assembly.one("AWS::ApiGatewayV2::Api").properties


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "https://*", "https://*.shop.example", "http://shop.example", "https://shop.example/", "null"),
        *("", "shop", "https://shop.example https://evil.example", "https://Shop.example"),
        "http://localhost:3000",
    ],
)
def test_what_is_no_single_origin_is_refused(origin: str) -> None:
    with pytest.raises(InvalidAccessError, match="is no origin"):
        dataclasses.replace(DEV, allowed_origins=(origin,))


def test_pages_of_this_machine_may_call_the_api_of_this_machine() -> None:
    assert dataclasses.replace(LOCAL, allowed_origins=("http://localhost:3000",)).allowed_origins


@pytest.mark.parametrize(
    "url", ["http://id.shop.example/keys", "file:///etc/passwd", "http://127.0.0.1:1/keys"]
)
def test_keys_that_could_be_changed_on_the_way_are_refused(url: str) -> None:
    with pytest.raises(InvalidAccessError, match="over https only"):
        dataclasses.replace(DEV, identity_provider=dataclasses.replace(PROVIDER, keys_url=url))


def test_the_document_names_the_scheme_of_each_route() -> None:
    whole = document()
    assert whole["components"]["securitySchemes"].keys() == {callers.value for callers in Callers}
    for route in (*ROUTES, *SERVER_ROUTES):
        (scheme, nothing) = whole["paths"][route.path][route.method.lower()]["security"]
        assert (scheme, nothing) == ({route.callers.value: []}, {})
