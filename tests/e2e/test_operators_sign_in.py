"""Operators sign in: the page in a browser, against the user pool and the JWT authorizer of the local AWS.

The pool has no second factor, which the local AWS's sign-in pages lack; that real ones demand it is told by
tests/synth/test_console.py.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from browser import chromium, needs_chromium
from console_site import MOUNT, Site, running_site
from console_tab import DESKTOP, violations
from infrastructure.constructs.operators import SCOPE
from infrastructure.local.lifecycle import LocalAws, emulator

pytestmark = needs_chromium
OPERATOR, FIRST_PASSWORD, PASSWORD = "olga@example.com", "Temporary-1-password", "Chosen-2-password"


@dataclass
class Guarded:
    """A console that asks for tokens."""

    site: Site
    cognito: Any
    pool_id: str
    client_id: str


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with (
        emulator() as aws,
        running_site(sign_in_url=aws.endpoint_url, client_id="to be known") as site,
    ):
        cognito = aws.client("cognito-idp")
        pool_id = cognito.create_user_pool(PoolName="operators")["UserPool"]["Id"]
        server, _, right = SCOPE.partition("/")
        cognito.create_resource_server(
            UserPoolId=pool_id,
            Identifier=server,
            Name=server,
            Scopes=[{"ScopeName": right, "ScopeDescription": right}],
        )
        client_id = _client(cognito, pool_id, site)
        site.know(CLIENT_ID=client_id)
        site.gate = _authorizer(aws, pool_id, client_id)
        yield Guarded(site, cognito, pool_id, client_id)


def _client(cognito: Any, pool_id: str, site: Site) -> str:
    answer = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="console",
        GenerateSecret=False,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", SCOPE],
        CallbackURLs=[site.url],
        LogoutURLs=[site.url],
        SupportedIdentityProviders=["COGNITO"],
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )
    return str(answer["UserPoolClient"]["ClientId"])


def _authorizer(aws: LocalAws, pool_id: str, client_id: str) -> Any:
    """Let a route of an HTTP API decide; what lies behind it only says that it was reached."""
    apis = aws.client("apigatewayv2")
    api_id = apis.create_api(Name="gate", ProtocolType="HTTP")["ApiId"]
    authorizer_id = apis.create_authorizer(
        ApiId=api_id,
        AuthorizerType="JWT",
        Name="operators",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={
            "Audience": [client_id],
            "Issuer": f"https://cognito-idp.us-east-1.amazonaws.com/{pool_id}",
        },
    )["AuthorizerId"]
    integration_id = apis.create_integration(
        ApiId=api_id,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="GET",
        IntegrationUri=f"{aws.endpoint_url}/_ministack/health?asked=",
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    apis.create_route(
        ApiId=api_id,
        RouteKey="GET /v1/admin/{proxy+}",
        AuthorizationType="JWT",
        AuthorizerId=authorizer_id,
        AuthorizationScopes=[SCOPE],
        Target=f"integrations/{integration_id}",
    )
    apis.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)

    def asked(path: str, authorization: str | None) -> int:
        address = f"{aws.endpoint_url}/_aws/execute-api/{api_id}{path.removeprefix(MOUNT).partition('?')[0]}"
        headers = {"authorization": authorization} if authorization else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    return asked


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


@pytest.fixture
def operator(guarded: Guarded) -> Iterator[str]:
    """Somebody whom an administrator of the account let in, and who chose a password since."""
    _create(guarded)
    guarded.cognito.admin_set_user_password(
        UserPoolId=guarded.pool_id, Username=OPERATOR, Password=PASSWORD, Permanent=True
    )
    yield OPERATOR
    guarded.cognito.admin_delete_user(UserPoolId=guarded.pool_id, Username=OPERATOR)


def _create(guarded: Guarded) -> None:
    guarded.cognito.admin_create_user(
        UserPoolId=guarded.pool_id, Username=OPERATOR, TemporaryPassword=FIRST_PASSWORD
    )


def sign_in(page: Any, site: Site, password: str = PASSWORD) -> None:
    page.goto(f"{site.url}#models")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Username").fill(OPERATOR)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def tokens(page: Any) -> Any:
    return json.loads(page.evaluate("sessionStorage.getItem('attune.tokens')") or "null")


def age_tokens(page: Any, access: str | None = None) -> None:
    """Let the access token be over, or be another one."""
    stored = tokens(page)
    stored |= {"access": access} if access else {"ends_at": 0}
    page.evaluate("value => sessionStorage.setItem('attune.tokens', value)", json.dumps(stored))


def test_an_operator_signs_in_and_comes_back_to_the_section_that_was_asked_for(
    page: Any, guarded: Guarded, operator: str
) -> None:
    guarded.site.asked.clear()
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    assert page.url == f"{guarded.site.url}#models"
    asked = [authorization for path, authorization in guarded.site.asked if "/admin/" in path]
    assert asked
    assert set(asked) == {f"Bearer {tokens(page)['access']}"}
    assert violations(page) == []
    page.reload()
    page.get_by_text("nightly-0115").first.wait_for()


def test_who_was_just_let_in_chooses_a_password_first(page: Any, guarded: Guarded) -> None:
    _create(guarded)
    sign_in(page, guarded.site, FIRST_PASSWORD)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm new password").fill(PASSWORD)
    page.get_by_role("button", name="Update password").click()
    page.get_by_text("nightly-0115").first.wait_for()
    guarded.cognito.admin_delete_user(UserPoolId=guarded.pool_id, Username=OPERATOR)


def test_a_token_is_renewed_before_it_ends_and_nobody_notices(
    page: Any, guarded: Guarded, operator: str
) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    before = tokens(page)
    age_tokens(page)
    guarded.site.asked.clear()
    page.get_by_role("button", name="Refresh").click()
    page.locator("#announcement", has_text="Up to date.").wait_for(state="attached")
    after = tokens(page)
    assert after["ends_at"] > 0
    assert after["refresh"] == before["refresh"]
    assert page.get_by_role("alert").count() == 0


def test_a_session_that_was_ended_elsewhere_ends_here(page: Any, guarded: Guarded, operator: str) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    guarded.cognito.revoke_token(Token=tokens(page)["refresh"], ClientId=guarded.client_id)
    age_tokens(page)
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("Your session has ended: sign in again.").wait_for()
    assert tokens(page) is None
    assert page.get_by_text("nightly-0115").count() == 0


def test_a_sign_in_that_is_out_of_reach_ends_no_session(page: Any, guarded: Guarded, operator: str) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    age_tokens(page)
    page.route("**/oauth2/token", lambda route: route.abort())
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("The sign-in can't be reached to renew your session.").wait_for()
    assert page.get_by_text("nightly-0115").count()
    page.unroute("**/oauth2/token")
    page.get_by_role("button", name="Refresh").click()
    page.get_by_role("alert").wait_for(state="detached")


def test_a_forged_token_shows_nothing(page: Any, guarded: Guarded, operator: str) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    head, claims, signature = tokens(page)["access"].split(".")
    age_tokens(page, access=f"{head}.{claims}.{signature[::-1]}")
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("Your session has ended: sign in again.").wait_for()
    assert page.get_by_text("nightly-0115").count() == 0


def test_a_token_without_the_scope_is_refused(page: Any, guarded: Guarded, operator: str) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    answer = guarded.cognito.admin_initiate_auth(
        UserPoolId=guarded.pool_id,
        ClientId=guarded.client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": OPERATOR, "PASSWORD": PASSWORD},
    )
    age_tokens(page, access=answer["AuthenticationResult"]["AccessToken"])
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("This account may not see it.").wait_for()


def test_signing_out_forgets_the_tokens_here_and_revokes_them_there(
    page: Any, guarded: Guarded, operator: str
) -> None:
    sign_in(page, guarded.site)
    page.get_by_text("nightly-0115").first.wait_for()
    with page.expect_request("**/oauth2/revoke"):
        page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert tokens(page) is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("code=stolen&state=of-another", "not to a sign-in that began in this tab"),
        ("error=access_denied&error_description=Not+you", "Not you"),
    ],
)
def test_an_answer_that_nobody_asked_for_signs_nobody_in(
    page: Any, guarded: Guarded, answer: str, reason: str
) -> None:
    page.goto(f"{guarded.site.url}?{answer}")
    assert reason in page.get_by_role("alert").inner_text()
    assert page.url == guarded.site.url
    assert tokens(page) is None
