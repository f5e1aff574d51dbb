"""Wiring of `refresh_recommendations`, once per container."""

from functools import cache

from functions.refresh_recommendations.models import ModelCache
from functions.refresh_recommendations.settings import Settings
from personalization.adapters.appconfig import Address, AppConfigSession, PolledDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.names import Consent
from personalization.refreshing import Refresher
from personalization.runtime.clock import new_id, now
from personalization.runtime.observability import count_unread
from personalization.runtime.settings import load_settings


@cache
def refresher() -> Refresher:
    """Build the clients; the model is fetched with the first request."""
    settings = load_settings(Settings)
    session = AppConfigSession(impatient("appconfigdata"), Address.parse(settings.experiments_address))
    definitions = PolledDefinitions(session, now, count_unread)
    table = impatient("dynamodb")
    return Refresher(
        profiles=DynamoProfileStore(table, settings.table_name),
        lists=DynamoListStore(table, settings.table_name),
        model=ModelCache(impatient("s3"), settings.model_bucket).load,
        definitions=definitions,
        clock=now,
        new_id=new_id,
        consent_default=Consent(settings.consent_default),
    )
