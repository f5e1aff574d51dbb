"""Secrets: one that never changes is read once, one that rotates again and again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
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
REREAD: Final = timedelta(minutes=10)
"""A warm container knows of a rotation at most so long after it."""
TAKEOVER: Final = timedelta(minutes=15)
"""So old is a key before anything is signed by it: by then every container accepts it."""
_RETRY: Final = timedelta(minutes=1)
_ABSENT: Final = "ResourceNotFoundException"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSALS:
            raise
        raise Unavailable(error.response["Error"]["Code"]) from error
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error


def read_secret(client: "SecretsManagerClient", arn: str) -> bytes:
    """Return a secret's current value.

    Raises
    ------
    Unavailable
        Secrets Manager, or the key's service behind it, throttles, fails or is out of reach.
    """
    with _translated():
        return client.get_secret_value(SecretId=arn)["SecretString"].encode()


class RotatedSecret:
    """A key of signatures that a rotation replaces while containers are warm.

    Signed is by `AWSCURRENT`, for its first 15 minutes still by `AWSPREVIOUS`; both are accepted, so what a
    key signed stays good until the second rotation after. Cost: two calls in ten minutes and container. While
    the service can't be reached, the keys read last stay in force.
    """

    def __init__(self, client: "SecretsManagerClient", arn: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._arn = arn
        self._clock = clock
        self._read_next: datetime | None = None
        self._keys: tuple[bytes, ...] = ()
        self._current_since: datetime | None = None

    def signing(self) -> bytes:
        """Return the key to sign with.

        Raises
        ------
        Unavailable
            No key could be read yet.
        """
        keys, now = self.accepted(), self._clock()
        young = self._current_since is not None and now - self._current_since < TAKEOVER
        return keys[-1] if young else keys[0]

    def accepted(self) -> tuple[bytes, ...]:
        """Return the keys whose signatures are good, the current one first; raises as `signing` does."""
        now = self._clock()
        if self._read_next is None or now >= self._read_next:
            try:
                self._read()
                self._read_next = now + REREAD
            except (Unavailable, ClientError) as error:
                if not self._keys:
                    raise Unavailable("the secret can't be read") from error
                self._read_next = now + _RETRY
        return self._keys

    def _read(self) -> None:
        with _translated():
            current = self._client.get_secret_value(SecretId=self._arn, VersionStage="AWSCURRENT")
            keys = [current["SecretString"].encode()]
            try:
                previous = self._client.get_secret_value(SecretId=self._arn, VersionStage="AWSPREVIOUS")
                keys.append(previous["SecretString"].encode())
            except ClientError as error:
                if error.response["Error"]["Code"] != _ABSENT:
                    raise
        self._keys = tuple(keys)
        self._current_since = current["CreatedDate"]
