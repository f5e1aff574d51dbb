"""Wiring of `get_recommendations`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Final

from functions.get_recommendations.settings import Settings
from personalization.adapters.appconfig import Address, AppConfigSession, PolledDefinitions
from personalization.adapters.clients import IN_THE_ANSWER, impatient
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.s3 import SharedCopy
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsRefreshQueue
from personalization.bots import is_bot_calling
from personalization.deadlines import Guard
from personalization.definitions import parse_definitions
from personalization.identity import user_key
from personalization.runtime.clock import new_id, now
from personalization.runtime.observability import count_unread
from personalization.runtime.settings import load_settings
from personalization.serving import Recommender

KEYS_SECONDS: Final = 1.0
"""How long the first request of a container waits for the two keys, before its answer's own time begins."""
DEFINITIONS_SECONDS: Final = 0.2
"""How long it waits for the experiments, on top of the wait for the keys, which goes on meanwhile."""


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    recommender: Recommender
    user_key: Callable[[str], str]
    is_bot_calling: Callable[[str], bool]


@cache
def settings() -> Settings:
    """Read the environment."""
    return load_settings(Settings)


@cache
def keyless() -> Recommender:
    """Build the clients, while the experiments are read in the background; it answers for anybody."""
    known = settings()
    session = AppConfigSession(
        impatient("appconfigdata", IN_THE_ANSWER), Address.parse(known.experiments_address)
    )
    return Recommender(
        store=DynamoListStore(impatient("dynamodb", IN_THE_ANSWER), known.table_name, read_attempts=1),
        refreshes=SqsRefreshQueue(impatient("sqs", IN_THE_ANSWER), known.refresh_queue_url),
        definitions=PolledDefinitions(session, now, count_unread, patience=DEFINITIONS_SECONDS),
        token_secret=None,
        clock=now,
        new_id=new_id,
        defaults=parse_definitions(known.default_treatments.encode()),
        last_copy=SharedCopy(partial(impatient, "s3", IN_THE_ANSWER), known.model_bucket).read,
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
    recommender = keyless()
    arns = settings().token_secret_arn, settings().user_key_secret_arn
    token_secret, secret = _guard_of_keys().call(lambda: _read_secrets(*arns), KEYS_SECONDS)
    return Dependencies(
        recommender=replace(recommender, token_secret=token_secret),
        user_key=partial(user_key, secret),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
    )


def _read_secrets(*arns: str) -> list[bytes]:
    client = impatient("secretsmanager", IN_THE_ANSWER)
    return [read_secret(client, arn) for arn in arns]
