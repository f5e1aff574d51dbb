"""Definitions of experiments in AppConfig, read in the background."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from personalization.definitions import parse_definitions
from personalization.errors import AttuneError, Unavailable
from personalization.experiments import Definitions

if TYPE_CHECKING:
    from mypy_boto3_appconfigdata import AppConfigDataClient

POLL_SECONDS: Final = 30
"""How often to ask for a new copy."""
PATIENCE_SECONDS: Final = 1.0
"""How long the first request of a process waits for the first copy."""


class Address(NamedTuple):
    """Where a configuration is: AppConfig's application, environment and profile, each by id or name."""

    application: str
    environment: str
    profile: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what the infrastructure writes.

        >>> Address.parse("a1b2/prod/c3d4").environment
        'prod'
        """
        return cls(*text.split("/"))


@dataclass
class AppConfigSession:
    """Asks AppConfig for what changed. A token is good for one call: after a fault, a session begins anew."""

    client: "AppConfigDataClient"
    address: Address
    interval: timedelta = timedelta(seconds=POLL_SECONDS)
    _token: str | None = None

    def poll(self) -> Definitions | None:
        """Return the definitions if they changed since the last call, else None. One call, at first two.

        Raises
        ------
        Unavailable
            AppConfig can't be reached, or refuses.
        InvalidInput
            `invalid_experiments`: what is deployed there can't be read.
        """
        token, self._token = self._token, None
        try:
            answer = self.client.get_latest_configuration(ConfigurationToken=token or self._begin())
            body = answer["Configuration"].read()
        except ClientError as error:
            raise Unavailable(f"AppConfig: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise Unavailable(f"AppConfig: {type(error).__name__}") from error
        self._token = answer["NextPollConfigurationToken"]
        self.interval = timedelta(seconds=answer["NextPollIntervalInSeconds"])
        return parse_definitions(body) if body else None

    def _begin(self) -> str:
        return self.client.start_configuration_session(
            ApplicationIdentifier=self.address.application,
            EnvironmentIdentifier=self.address.environment,
            ConfigurationProfileIdentifier=self.address.profile,
            RequiredMinimumPollIntervalInSeconds=POLL_SECONDS,
        )["InitialConfigurationToken"]


@dataclass(frozen=True)
class DeployedDefinitions:
    """Reads the definitions as they are deployed now, for whoever asks rarely.

    Each call begins a session of its own, for one that was used tells of changes only.
    """

    client: "AppConfigDataClient"
    address: Address

    def read(self) -> Definitions | None:
        """Return the definitions, None if none are deployed; raises as `AppConfigSession.poll`. Two calls."""
        return AppConfigSession(self.client, self.address).poll()


@dataclass
class PolledDefinitions:
    """Keeps the last good copy, and asks for another in a thread of its own, never more often than allowed.

    A request waits for nothing but the first copy, which is asked for when this is made, and for that at most
    `patience` seconds. Lambda freezes the thread between invocations; it goes on with the next one, at worst
    to find its connection closed.

    Parameters
    ----------
    patience
        Seconds that one request may wait for the first copy.
    on_fault
        Is told, by the thread, why a call brought nothing that can be used.
    """

    session: AppConfigSession
    clock: Callable[[], datetime]
    on_fault: Callable[[str], None]
    patience: float = PATIENCE_SECONDS
    _latest: Definitions | None = None
    _due: datetime | None = None
    _first: Event = field(default_factory=Event)
    _polling: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._start()

    def current(self) -> Definitions | None:
        """Return the last good copy; None while there is none."""
        if self._due is None:
            self._first.wait(self.patience)
            self.patience = 0.0
        elif self.clock() >= self._due:
            self._start()
        return self._latest

    @property
    def is_polling(self) -> bool:
        """Whether a call is under way."""
        return self._polling.locked()

    def _start(self) -> None:
        if self._polling.acquire(blocking=False):
            Thread(target=self._poll, daemon=True, name="experiments").start()

    def _poll(self) -> None:
        try:
            self._latest = self.session.poll() or self._latest
            if self._latest is None:
                self.on_fault("no definitions of experiments are deployed")
        except AttuneError as error:
            self.on_fault(str(error))
        finally:
            self._due = self.clock() + self.session.interval
            self._first.set()
            self._polling.release()
