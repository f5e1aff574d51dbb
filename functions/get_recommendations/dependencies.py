"""Wiring of `get_recommendations`, once per container."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial

from functions.get_recommendations.settings import Settings
from personalization.adapters.appconfig import Address, AppConfigSession, PolledDefinitions
from personalization.adapters.clients import impatient
from personalization.adapters.dynamodb import DynamoListStore
from personalization.adapters.secrets import RotatedSecret, read_secret
from personalization.adapters.sqs import SqsRefreshQueue
from personalization.bots import is_bot_calling
from personalization.definitions import parse_definitions
from personalization.identity import user_key
from personalization.runtime.clock import new_id, now
from personalization.runtime.observability import count_unread
from personalization.runtime.settings import load_settings
from personalization.serving import Recommender


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
def dependencies() -> Dependencies:
    """Build the clients and read the two keys, while the experiments are read in the background."""
    settings = load_settings(Settings)
    session = AppConfigSession(impatient("appconfigdata"), Address.parse(settings.experiments_address))
    definitions = PolledDefinitions(session, now, count_unread)
    secrets = impatient("secretsmanager")
    token_secret = RotatedSecret(secrets, settings.token_secret_arn, now)
    recommender = Recommender(
        store=DynamoListStore(impatient("dynamodb"), settings.table_name),
        refreshes=SqsRefreshQueue(impatient("sqs"), settings.refresh_queue_url),
        definitions=definitions,
        token_secret=token_secret.signing(),
        clock=now,
        new_id=new_id,
        defaults=parse_definitions(settings.default_treatments.encode()),
    )
    secret = read_secret(secrets, settings.user_key_secret_arn)
    return Dependencies(
        as_started=recommender,
        token_key=token_secret.signing,
        user_key=partial(user_key, secret),
        is_bot_calling=lru_cache(maxsize=4096)(is_bot_calling),
    )
