"""Wiring of `get_recommendations`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Final

from functions.get_recommendations.settings import Settings
from personalization.adapters.appconfig import Address, AppConfigSession, PolledDefinitions
from personalization.adapters.clients import Patience, impatient, in_an_answer
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.s3 import SharedCopy
from personalization.adapters.secrets import RotatedSecret, read_secret
from personalization.adapters.sqs import SqsRefreshQueue
from personalization.bots import is_bot_calling
from personalization.deadlines import Guard
from personalization.definitions import parse_definitions
from personalization.identity import user_key
from personalization.names import Consent
from personalization.runtime.clock import new_id, now
from personalization.runtime.observability import count_unread
from personalization.runtime.settings import load_settings
from personalization.serving import Recommender

KEYS_SHARE: Final = 1.25
"""Of an answer's time: how long the first request of a container waits for the two keys before."""
DEFINITIONS_SHARE: Final = 0.25
"""How long it waits for the experiments, which are asked for before the keys are."""


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    as_started: Recommender
    token_key: Callable[[], bytes]
    user_key: Callable[[str], str]
    is_bot_calling: Callable[[str], bool]

    def recommender(self) -> Recommender:
        """Return the recommender with the key that signs now; what it remembers stays its own."""
        return replace(self.as_started, token_secret=self.token_key())


@cache
def settings() -> Settings:
    """Read the environment."""
    return load_settings(Settings)


def answer_seconds() -> float:
    """Return how long an answer may take."""
    return int(settings().answer_milliseconds) / 1_000


def _patience() -> Patience:
    return in_an_answer(answer_seconds())


@cache
def keyless() -> Recommender:
    """Build the clients, while the experiments are read in the background; it answers for anybody."""
    known = settings()
    session = AppConfigSession(
        impatient("appconfigdata", _patience()), Address.parse(known.experiments_address)
    )
    return Recommender(
        store=DynamoListStore(impatient("dynamodb", _patience()), known.table_name, read_attempts=1),
        refreshes=SqsRefreshQueue(impatient("sqs", _patience()), known.refresh_queue_url),
        definitions=PolledDefinitions(
            session, now, count_unread, patience=DEFINITIONS_SHARE * answer_seconds()
        ),
        token_secret=None,
        clock=now,
        new_id=new_id,
        defaults=parse_definitions(known.default_treatments.encode()),
        consent_default=Consent(known.consent_default),
        last_copy=SharedCopy(partial(impatient, "s3", _patience()), known.model_bucket).read,
    )


@cache
def _guard_of_keys() -> Guard:
    return Guard()


@cache
def dependencies() -> Dependencies:
    """Read the two keys; until that succeeds it is tried anew by each request, but not while it can't.

    Raises
    ------
    Unavailable
        The keys can't be read in time.
    """
    known, client = settings(), impatient("secretsmanager", _patience())
    token_secret = RotatedSecret(client, known.token_secret_arn, now)

    def read() -> bytes:
        token_secret.signing()
        return read_secret(client, known.user_key_secret_arn)

    secret = _guard_of_keys().call(read, KEYS_SHARE * answer_seconds())
    return Dependencies(
        as_started=keyless(),
        token_key=token_secret.signing,
        user_key=partial(user_key, secret),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
    )
