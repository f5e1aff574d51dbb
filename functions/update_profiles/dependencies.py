"""Wiring of `update_profiles`, once per container."""

from dataclasses import replace
from functools import cache

from functions.update_profiles.settings import Settings
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoCatalog, DynamoProfileStore
from personalization.adapters.kinesis import stream_epoch
from personalization.adapters.s3 import S3Archive, S3Quarantine
from personalization.adapters.secrets import RotatedSecret
from personalization.adapters.sqs import SqsErasureQueue, SqsRefreshQueue
from personalization.names import Consent
from personalization.projection import Projector
from personalization.runtime.clock import new_id, now
from personalization.runtime.settings import load_settings


def projector() -> Projector:
    """Return the projector with the keys of recommendation ids that are accepted now."""
    made, token_secret = _started()
    return replace(made, token_secret=token_secret.accepted())


@cache
def _started() -> tuple[Projector, RotatedSecret]:
    """Build the clients, read the token keys and the stream's epoch."""
    settings = load_settings(Settings)
    table = impatient("dynamodb")
    token_secret = RotatedSecret(impatient("secretsmanager"), settings.token_secret_arn, now)
    made = Projector(
        profiles=DynamoProfileStore(table, settings.table_name),
        catalog=DynamoCatalog(table, settings.table_name),
        quarantine=S3Quarantine(S3Archive(impatient("s3"), settings.quarantine_bucket)),
        refreshes=SqsRefreshQueue(impatient("sqs"), settings.refresh_queue_url),
        erasures=SqsErasureQueue(impatient("sqs"), settings.erasure_queue_url),
        consent_default=Consent(settings.consent_default),
        token_secret=token_secret.accepted(),
        epoch=stream_epoch(impatient("kinesis"), settings.stream_name),
        clock=now,
        new_id=new_id,
    )
    return made, token_secret
