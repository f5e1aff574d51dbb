"""Wiring of `get_recommendations`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from functions.get_recommendations.settings import Settings
from personalization.adapters.appconfig import Address, AppConfigSession, PolledDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.secrets import read_secret
from personalization.adapters.sqs import SqsRefreshQueue
from personalization.bots import is_bot_calling
from personalization.definitions import parse_definitions
from personalization.identity import user_key
from personalization.names import Consent
from personalization.runtime.clock import new_id, now
from personalization.runtime.observability import count_unread
from personalization.runtime.settings import load_settings
from personalization.serving import Recommender


@dataclass(frozen=True)
class Dependencies:
    """What the handler calls."""

    recommender: Recommender
    user_key: Callable[[str], str]
    is_bot_calling: Callable[[str], bool]


@cache
def dependencies() -> Dependencies:
    """Build the clients and read the two keys, while the experiments are read in the background."""
    settings = load_settings(Settings)
    session = AppConfigSession(impatient("appconfigdata"), Address.parse(settings.experiments_address))
    definitions = PolledDefinitions(session, now, count_unread)
    secrets = impatient("secretsmanager")
    recommender = Recommender(
        store=DynamoListStore(impatient("dynamodb"), settings.table_name),
        refreshes=SqsRefreshQueue(impatient("sqs"), settings.refresh_queue_url),
        definitions=definitions,
        token_secret=read_secret(secrets, settings.token_secret_arn),
        clock=now,
        new_id=new_id,
        defaults=parse_definitions(settings.default_treatments.encode()),
        consent_default=Consent(settings.consent_default),
    )
    secret = read_secret(secrets, settings.user_key_secret_arn)
    return Dependencies(
        recommender=recommender,
        user_key=partial(user_key, secret),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
    )
