"""Wiring of `ingest_events`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from functions.ingest_events.settings import Settings
from personalization.adapters.clients import INGESTING, ON_REQUEST, impatient
from personalization.adapters.dynamodb import DynamoProfileStore
from personalization.adapters.kinesis import KinesisEventStream
from personalization.adapters.secrets import RotatedSecret, read_secret
from personalization.bots import is_bot, is_bot_calling
from personalization.consent_cache import ConsentCache
from personalization.guests import verify_guest_token
from personalization.identity import user_key
from personalization.names import Consent
from personalization.ports import EventStream
from personalization.runtime.clock import now
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    stream: EventStream
    consents: ConsentCache
    user_key: Callable[[str], str]
    is_bot: Callable[[str], bool]
    is_bot_calling: Callable[[str], bool]
    guest_keys: Callable[[], tuple[bytes, ...]]

    def guest_of(self, token: str) -> str:
        """Return the id of the guest whose token it is, or raise `InvalidToken`."""
        return verify_guest_token(self.guest_keys(), token, now=now()).user_id


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the key of the pseudonyms."""
    settings = load_settings(Settings)
    secrets = impatient("secretsmanager", ON_REQUEST)
    secret = read_secret(secrets, settings.user_key_secret_arn)
    return Dependencies(
        stream=KinesisEventStream(impatient("kinesis", INGESTING), settings.stream_name),
        consents=ConsentCache(
            DynamoProfileStore(impatient("dynamodb", INGESTING), settings.table_name),
            Consent(settings.consent_default),
        ),
        user_key=partial(user_key, secret),
        is_bot=lru_cache(maxsize=4096)(is_bot),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
        guest_keys=RotatedSecret(secrets, settings.guest_secret_arn, now).accepted,
    )
