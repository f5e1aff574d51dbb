"""Secrets, read once per container."""

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_REFUSALS: Final = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "InvalidRequestException"}
)
"""What no second try mends; anything else may pass."""


def read_secret(client: "SecretsManagerClient", arn: str) -> bytes:
    """Return a secret's current value.

    Raises
    ------
    Unavailable
        Secrets Manager, or the key's service behind it, throttles, fails or is out of reach.
    """
    try:
        return client.get_secret_value(SecretId=arn)["SecretString"].encode()
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSALS:
            raise
        raise Unavailable(error.response["Error"]["Code"]) from error
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error
