"""Wiring of `put_consent`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from functions.put_consent.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoProfileStore
from personalization.adapters.kinesis import KinesisEventStream
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsErasureQueue
from personalization.identity import user_key
from personalization.names import Consent
from personalization.runtime.clock import new_id, now
from personalization.runtime.settings import load_settings
from personalization.withdrawal import ConsentDesk


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    desk: ConsentDesk
    user_key: Callable[[str], str]


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the key of the pseudonyms."""
    settings = load_settings(Settings)
    desk = ConsentDesk(
        profiles=DynamoProfileStore(impatient("dynamodb"), settings.table_name),
        stream=KinesisEventStream(impatient("kinesis"), settings.stream_name),
        erasures=SqsErasureQueue(impatient("sqs"), settings.erasure_queue_url),
        default=Consent(settings.consent_default),
        clock=now,
        new_id=new_id,
    )
    secret = read_secret(impatient("secretsmanager"), settings.user_key_secret_arn)
    return Dependencies(desk, partial(user_key, secret))
