"""Who may see the console: everybody its empty page, operators its data, on a laptop whoever is there."""

from typing import Any

from infrastructure.constructs.console import DATA, PAGE
from infrastructure.constructs.operators import SCOPE
from infrastructure.fields import Access
from tests.synth.assembly import Assembly

PAGE_ROUTES = {f"GET {PAGE}", f"GET {PAGE}/{{asset}}"}
DATA_ROUTES = {f"GET {path}" for path in DATA}


def routes(assembly: Assembly) -> dict[str, Any]:
    found = [route.properties for route in assembly.of_type("AWS::ApiGatewayV2::Route")]
    return {route["RouteKey"]: route for route in found}


def test_every_administration_route_outside_local_asks_for_a_token_with_the_scope(assembly: Assembly) -> None:
    administration = {key: route for key, route in routes(assembly).items() if " /v1/admin/" in key}
    assert administration.keys() == DATA_ROUTES
    for route in administration.values():
        if assembly.environment.access is Access.OPEN:
            assert route["AuthorizationType"] == "NONE"
            assert "AuthorizerId" not in route
        else:
            assert route["AuthorizationType"] == "JWT"
            assert route["AuthorizationScopes"] == [SCOPE]
            assert route["AuthorizerId"]


def test_tokens_are_those_of_the_operators_pool_for_the_console(dev: Assembly, prod: Assembly) -> None:
    for assembly in (dev, prod):
        authorizer = assembly.one("AWS::ApiGatewayV2::Authorizer", "Operators").properties
        assert authorizer["AuthorizerType"] == "JWT"
        assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
        (audience,) = authorizer["JwtConfiguration"]["Audience"]
        client = assembly.one("AWS::Cognito::UserPoolClient")
        assert audience == {"Ref": client.logical_id}
        assert "OperatorsPool" in str(authorizer["JwtConfiguration"]["Issuer"])


def test_the_page_is_public_and_its_function_may_read_nothing(assembly: Assembly) -> None:
    found = routes(assembly)
    assert {found[key]["AuthorizationType"] for key in PAGE_ROUTES} == {"NONE"}
    allowed = {action.partition(":")[0] for action, _ in assembly.lambdas["serve_console"].allowed}
    assert allowed == {"logs", "xray"}


def test_the_page_knows_where_to_sign_in_outside_local_and_only_there(assembly: Assembly) -> None:
    variables = assembly.lambdas["serve_console"].variables
    assert variables["ENVIRONMENT_NAME"] == assembly.environment.name
    assert variables["SCOPE"] == SCOPE
    is_open = assembly.environment.access is Access.OPEN
    assert (variables["SIGN_IN_URL"] == "none") is is_open
    assert (variables["CLIENT_ID"] == "none") is is_open
    assert bool(assembly.of_type("AWS::Cognito::UserPool")) is not is_open


def test_operators_are_let_in_by_administrators_with_a_second_factor(dev: Assembly, prod: Assembly) -> None:
    for assembly in (dev, prod):
        pool = assembly.one("AWS::Cognito::UserPool").properties
        assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
        assert pool["MfaConfiguration"] == "ON"
        assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
        protected = "ACTIVE" if assembly.environment.retain_data else "INACTIVE"
        assert pool.get("DeletionProtection", "INACTIVE") == protected


def test_the_console_signs_in_by_code_without_a_secret_and_asks_for_the_scope(
    dev: Assembly, prod: Assembly
) -> None:
    for assembly in (dev, prod):
        client = assembly.one("AWS::Cognito::UserPoolClient").properties
        assert client["AllowedOAuthFlows"] == ["code"]
        assert client["GenerateSecret"] is False
        assert "ExplicitAuthFlows" not in client or client["ExplicitAuthFlows"] == [
            "ALLOW_REFRESH_TOKEN_AUTH"
        ]
        openid, right = client["AllowedOAuthScopes"]
        assert openid == "openid"
        assert right["Fn::Join"][1][-1].endswith("/admin") or right["Fn::Join"][1][-1] == "admin"
        (callback,) = client["CallbackURLs"]
        assert str(callback).count("/v1/console") == 1
        assert client["EnableTokenRevocation"] is True
        server = assembly.one("AWS::Cognito::UserPoolResourceServer").properties
        assert f"{server['Identifier']}/{server['Scopes'][0]['ScopeName']}" == SCOPE


def test_the_console_reads_the_alarms_of_its_own_environment(assembly: Assembly) -> None:
    prefix = assembly.lambdas["get_console_data"].variables["ALARM_PREFIX"]
    assert all(name.startswith(prefix) for name in assembly.templates)
