"""The platform deployed with its guards on, into a local AWS that verifies signatures and reads policies."""

import dataclasses
import http.client
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

os.environ["PATH"] = f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"

from aws_cdk import App, CliCredentialsStackSynthesizer

from infrastructure.app import define
from infrastructure.environments import LOCAL, LOCAL_REGION
from infrastructure.fields import Access, IdentityProvider
from infrastructure.local import deploy
from infrastructure.local.lifecycle import LocalAws, emulator
from intruders.attacks import ANN, bearer, event
from intruders.forger import AUDIENCE, Forger, provider
from intruders.gateway import Answer, Request
from intruders.honest import honest
from intruders.on_tokens import ON_TOKENS
from intruders.on_users import ON_USERS

ROOT = Path(__file__).parents[2]
PAGE = "http://localhost:3000"
PASSWORD = "Chosen-2-password"


@dataclass
class Deployed:
    """The guarded API, and the keys of a backend that may call what lies below /v1/server."""

    aws: LocalAws
    forger: Forger
    guest_key: bytes
    backend: Credentials

    def send(self, request: Request) -> Answer:
        status, _, body = self.exchange(request)
        return Answer(status, body)

    def exchange(self, request: Request) -> tuple[int, dict[str, str], Any]:
        """Send the path and the headers letter by letter, as no polite client would."""
        root = urlsplit(self.aws.api_url)
        connection = http.client.HTTPConnection(root.hostname or "", root.port, timeout=60)
        connection.putrequest(request.method, root.path + request.path)
        for name, value in request.headers:
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, json.loads(body) if body else None

    def signed(self, request: Request) -> Answer:
        return self.send(self.sign(request, self.backend))

    def sign(self, request: Request, credentials: Credentials) -> Request:
        address = f"{self.aws.api_url}{request.path}"
        made = AWSRequest(request.method, address, data=request.body)
        SigV4Auth(credentials, "execute-api", LOCAL_REGION).add_auth(made)
        return request._replace(headers=(*request.headers, *made.headers.items()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("guarded")) as found:
        yield found


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Deploy what answers requests, and let in a backend of the account and the users of a provider."""
    with provider() as forger, emulator(verify_signatures=True) as aws:
        guarded = dataclasses.replace(
            LOCAL,
            access=Access.GUARDED,
            allowed_origins=(PAGE,),
            identity_provider=IdentityProvider(
                issuer=forger.issuer, audience=AUDIENCE, keys_url=f"{forger.issuer}/keys"
            ),
        )
        app = App(
            outdir=str(folder),
            context=json.loads((ROOT / "cdk.json").read_text())["context"],
            # The roles of the bootstrap have policies that the local AWS reads otherwise than AWS does.
            default_stack_synthesizer=CliCredentialsStackSynthesizer(),
        )
        define(app, guarded)
        app.synth()
        deploy.bootstrap(aws.layout)
        deploy.deploy(aws.layout, lambda _: None, assembly=folder, stacks=["attune-local-serving"])
        found = dataclasses.replace(aws, stacks=json.loads(aws.layout.outputs.read_text()))
        secret = found.client("secretsmanager").get_secret_value(SecretId=found.output("GuestSecretArn"))
        allow_pages(found, folder)
        allow_secrets(found)
        yield Deployed(found, forger, secret["SecretString"].encode(), user(found, "/v1/server/*"))


def allow_pages(aws: LocalAws, assembly: Path) -> None:
    """Say the pages by a call: the local AWS's CloudFormation keeps them where its gateway looks not."""
    template = json.loads((assembly / "attune-local-serving.template.json").read_text())
    (api,) = [row for row in template["Resources"].values() if row["Type"] == "AWS::ApiGatewayV2::Api"]
    aws.client("apigatewayv2").update_api(
        ApiId=aws.output("ApiId"), CorsConfiguration=api["Properties"]["CorsConfiguration"]
    )


def allow_secrets(aws: LocalAws) -> None:
    """Let functions read secrets: the local AWS writes names of those into policies, and looks for ARNs."""
    iam = aws.client("iam")
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for role in iam.get_paginator("list_roles").paginate().build_full_result()["Roles"]:
        if role["RoleName"].startswith("attune-"):
            iam.put_role_policy(RoleName=role["RoleName"], PolicyName="secrets", PolicyDocument=document)


def user(aws: LocalAws, paths: str) -> Credentials:
    """A principal that may call some paths of the API."""
    iam = aws.client("iam")
    name = f"user-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    resource = f"arn:aws:execute-api:*:*:{aws.output('ApiId')}/$default/*{paths}"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="calls", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_everybody_who_may_call_can(site: Deployed) -> None:
    honest(site)


def test_no_attack_gets_through(site: Deployed) -> None:
    failed = []
    for attack in (*ON_TOKENS, *ON_USERS):
        try:
            attack.strike(site)
        except AssertionError as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)


def server_trending(site: Deployed, credentials: Credentials) -> Request:
    return site.sign(Request("GET", "/v1/server/trending"), credentials)


def test_a_signature_is_verified_and_the_policy_of_who_signs_is_applied(site: Deployed) -> None:
    good = server_trending(site, site.backend)
    assert site.send(good).status == 200
    stolen = Credentials(site.backend.access_key, "guessed")
    unknown = Credentials("AKIAUNKNOWN000000000", "guessed")
    elsewhere = user(site.aws, "/v1/server/experiments")
    for credentials in (stolen, unknown, elsewhere):
        assert site.send(server_trending(site, credentials)).status == 403
    assert site.send(good._replace(path="/v1/server/experiments")).status == 403
    assert site.send(good._replace(method="POST", path="/v1/server/guests")).status == 403


def test_an_operator_is_no_user_a_user_no_operator_and_neither_without_the_scope(site: Deployed) -> None:
    operator = operators_token(site)
    for request in (
        Request("GET", "/v1/trending", bearer(operator)),
        Request("GET", f"/v1/users/{ANN}/recommendations", bearer(operator)),
        Request("PUT", "/v1/items", bearer(operator), b'{"item_id":"sku-1"}'),
        Request("GET", "/v1/admin/models", bearer(operator)),
    ):
        assert site.send(request).status == 403, request
    assert site.send(Request("GET", "/v1/admin/models", bearer(site.forger.token(ANN)))).status == 401


def operators_token(site: Deployed) -> str:
    """An honest token of the operators' pool, for the console, that nobody gave the scope."""
    cognito = site.aws.client("cognito-idp")
    pool = {"UserPoolId": site.aws.output("OperatorPoolId")}
    (client,) = cognito.list_user_pool_clients(**pool)["UserPoolClients"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    cognito.update_user_pool_client(**pool, ClientId=client["ClientId"], ExplicitAuthFlows=flows)
    cognito.set_user_pool_mfa_config(**pool, MfaConfiguration="OFF")
    cognito.admin_create_user(**pool, Username="olga@example.com", TemporaryPassword=PASSWORD)
    cognito.admin_set_user_password(**pool, Username="olga@example.com", Password=PASSWORD, Permanent=True)
    answer = cognito.admin_initiate_auth(
        **pool,
        ClientId=client["ClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "olga@example.com", "PASSWORD": PASSWORD},
    )
    return str(answer["AuthenticationResult"]["AccessToken"])


def test_the_gateway_answers_preflights_of_listed_pages_and_of_no_others(site: Deployed) -> None:
    def preflight(origin: str) -> tuple[int, dict[str, str]]:
        asked = (("Origin", origin), ("Access-Control-Request-Method", "POST"))
        status, headers, _ = site.exchange(Request("OPTIONS", "/v1/events", asked))
        return status, headers

    status, headers = preflight(PAGE)
    assert status == 204
    assert headers["access-control-allow-origin"] == PAGE
    assert "authorization" in headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in headers
    for origin in ("https://evil.example", "http://localhost:3000.evil.example", "null"):
        assert "access-control-allow-origin" not in preflight(origin)[1]


def test_the_example_of_the_documentation_makes_guests_and_sends_events(
    site: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- example: guests -->\n```python\n(.*?)```", page, re.DOTALL)
    example: dict[str, Any] = {}
    exec(code, example)  # noqa: S102 (our own page)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", site.backend.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", site.backend.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", LOCAL_REGION)
    api = site.aws.api_url
    visitor = example["guest"](api)
    assert site.send(Request("GET", "/v1/trending", bearer(visitor["token"]))).status == 200
    again = example["guest"](api, known=visitor["user_id"])
    assert again["user_id"] == visitor["user_id"]
    sent = example["call"]("POST", f"{api}/v1/server/events", [event(ANN), event(visitor["user_id"])])
    assert sent == {"accepted": 2, "rejected": []}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    with pytest.raises(RuntimeError, match="403"):
        example["guest"](api)
