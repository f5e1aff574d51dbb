"""Secrets on moto: one key takes over from another while containers are warm."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from personalization.adapters.secrets import REREAD, TAKEOVER, RotatedSecret
from personalization.errors import Unavailable


class Vault:
    """A secret, a warm container that reads it, and a clock that only moves when it is told."""

    def __init__(self) -> None:
        self.client = boto3.client("secretsmanager")
        self.arn = self.client.create_secret(Name="key", SecretString="first")["ARN"]
        self.now = datetime.now(UTC) + timedelta(days=1)
        self.container = self.another_container()

    def another_container(self) -> RotatedSecret:
        return RotatedSecret(self.client, self.arn, lambda: self.now)

    def rotate(self, value: str) -> None:
        """Give the secret a new value, and let the clock say when moto did."""
        self.client.put_secret_value(SecretId=self.arn, SecretString=value)
        self.now = datetime.now(UTC)


@pytest.fixture
def vault() -> Iterator[Vault]:
    with mock_aws():
        yield Vault()


def test_the_first_key_signs_and_is_accepted_alone(vault: Vault) -> None:
    assert (vault.container.signing(), vault.container.accepted()) == (b"first", (b"first",))


def test_the_first_key_signs_from_its_first_moment(vault: Vault) -> None:
    vault.now = datetime.now(UTC)
    assert vault.container.signing() == b"first"


def test_after_a_rotation_both_keys_are_accepted_and_the_old_one_signs_until_everybody_knows_the_new(
    vault: Vault,
) -> None:
    vault.rotate("second")
    container = vault.another_container()
    assert (container.signing(), container.accepted()) == (b"first", (b"second", b"first"))
    vault.now += TAKEOVER
    assert container.signing() == b"second"


def test_a_warm_container_knows_a_new_key_before_anybody_signs_by_it(vault: Vault) -> None:
    vault.now = datetime.now(UTC)
    assert vault.container.accepted() == (b"first",)
    vault.rotate("second")
    assert vault.container.accepted() == (b"first",)
    vault.now += REREAD
    assert vault.container.accepted() == (b"second", b"first")
    assert REREAD < TAKEOVER


def test_a_second_rotation_puts_the_first_key_out_of_use(vault: Vault) -> None:
    vault.rotate("second")
    vault.rotate("third")
    assert vault.another_container().accepted() == (b"third", b"second")


def test_while_the_secret_cant_be_read_the_keys_read_last_stay_in_force(vault: Vault) -> None:
    assert vault.container.accepted() == (b"first",)
    vault.client.delete_secret(SecretId=vault.arn, ForceDeleteWithoutRecovery=True)
    vault.now += REREAD
    assert vault.container.accepted() == (b"first",)
    with pytest.raises(Unavailable):
        vault.another_container().accepted()
