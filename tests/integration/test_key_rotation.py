"""The rotation of keys, by the function that Secrets Manager calls, under what was signed before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from os import environ
from uuid import uuid4

import boto3
import pytest

from functions.rotate_secret.handler import handler
from integration.conftest import CONTEXT
from intruders.attacks import ANN
from intruders.gateway import InProcess, Request, guarded
from intruders.on_receipts import Shown, click, clicks, send, shown_to_ann
from personalization.adapters.secrets import RotatedSecret
from personalization.runtime.discretion import InvocationFailedError

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@pytest.fixture
def site() -> Iterator[InProcess]:
    with guarded() as found:
        yield found


def rotate(secret: str) -> None:
    """Do all that Secrets Manager does, and each step twice, as it may."""
    version = str(uuid4())
    for step in STEPS:
        for _ in range(2):
            handler({"SecretId": environ[secret], "ClientRequestToken": version, "Step": step}, CONTEXT)


def restart() -> None:
    """Let all containers start anew, and so read the keys."""
    from integration.conftest import _forget_clients

    _forget_clients()


def keys(secret: str) -> tuple[bytes, ...]:
    later = datetime.now(UTC) + timedelta(hours=1)
    return RotatedSecret(boto3.client("secretsmanager"), environ[secret], lambda: later).accepted()


@pytest.mark.parametrize("secret", ["TOKEN_SECRET_ARN", "GUEST_SECRET_ARN"])
def test_a_rotation_makes_a_new_key_and_keeps_the_one_before(site: InProcess, secret: str) -> None:
    (first,) = keys(secret)
    rotate(secret)
    second, before = keys(secret)
    assert before == first
    assert second != first
    assert len(second) == 64
    rotate(secret)
    assert keys(secret)[1] == second


def test_a_receipt_counts_after_a_rotation_and_no_more_after_two(site: InProcess) -> None:
    shown: Shown = shown_to_ann(site)
    for expected, item in ((True, shown.items[1]), (False, shown.items[2])):
        rotate("TOKEN_SECRET_ARN")
        restart()
        before = clicks(site)
        send(site, ANN, click(ANN, shown.receipt, item))
        assert (clicks(site) > before) is expected


def test_a_guest_is_let_in_after_a_rotation_and_no_more_after_two(site: InProcess) -> None:
    made = site.signed(Request("POST", "/v1/server/guests")).body
    request = Request("GET", "/v1/trending", (("Authorization", f"Bearer {made['token']}"),))
    for expected in (200, 403):
        rotate("GUEST_SECRET_ARN")
        restart()
        site.remembered.clear()
        assert site.send(request).status == expected


def test_the_key_of_the_pseudonyms_is_never_rotated(site: InProcess) -> None:
    with pytest.raises(InvocationFailedError, match="ValueError"):
        rotate("USER_KEY_SECRET_ARN")
