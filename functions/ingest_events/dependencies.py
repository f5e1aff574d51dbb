"""Wiring of `ingest_events`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from functions.ingest_events.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoProfileStore
from personalization.adapters.kinesis import KinesisEventStream
from personalization.adapters.secrets import read_secret
from personalization.bots import is_bot, is_bot_calling
from personalization.consent_cache import ConsentCache
from personalization.identity import user_key
from personalization.names import Consent
from personalization.ports import EventStream
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    stream: EventStream
    consents: ConsentCache
    user_key: Callable[[str], str]
    is_bot: Callable[[str], bool]
    is_bot_calling: Callable[[str], bool]


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the key of the pseudonyms."""
    settings = load_settings(Settings)
    secret = read_secret(impatient("secretsmanager"), settings.user_key_secret_arn)
    return Dependencies(
        stream=KinesisEventStream(impatient("kinesis"), settings.stream_name),
        consents=ConsentCache(
            DynamoProfileStore(impatient("dynamodb"), settings.table_name), Consent(settings.consent_default)
        ),
        user_key=partial(user_key, secret),
        is_bot=lru_cache(maxsize=4096)(is_bot),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
    )
