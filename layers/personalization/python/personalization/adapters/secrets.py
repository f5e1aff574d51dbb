"""Secrets, read once per container."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def read_secret(client: "SecretsManagerClient", arn: str) -> bytes:
    """Return a secret's current value."""
    return client.get_secret_value(SecretId=arn)["SecretString"].encode()
