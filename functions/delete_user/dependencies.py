"""Wiring of `delete_user`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from functions.delete_user.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.adapters.erasures import S3Erasures
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsErasureQueue
from personalization.erasure import Eraser
from personalization.identity import user_key
from personalization.runtime.clock import new_id, now
from personalization.runtime.settings import load_settings


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    eraser: Eraser
    user_key: Callable[[str], str]


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the user key."""
    settings = load_settings(Settings)
    table = impatient("dynamodb")
    eraser = Eraser(
        profiles=DynamoProfileStore(table, settings.table_name),
        lists=DynamoListStore(table, settings.table_name),
        log=S3Erasures(impatient("s3"), settings.lake_bucket),
        queue=SqsErasureQueue(impatient("sqs"), settings.erasure_queue_url),
        clock=now,
        new_id=new_id,
    )
    secret = read_secret(impatient("secretsmanager"), settings.user_key_secret_arn)
    return Dependencies(eraser, partial(user_key, secret))
