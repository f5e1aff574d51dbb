"""From a request to recommendations, and from an act to a fresh list."""

from typing import Final

from aws_cdk import CfnOutput, Duration, Size
from aws_cdk.aws_apigatewayv2 import HttpMethod
from constructs import Construct

from infrastructure.constructs.console import Console
from infrastructure.constructs.exposure_archive import ExposureArchive
from infrastructure.constructs.grants import (
    ANALYZED,
    CATALOG,
    EXPERIMENTS,
    MODEL,
    SEGMENTS,
    USERS,
    grant_items,
    grant_listing,
    grant_objects,
    grant_secret,
    grant_send,
)
from infrastructure.constructs.key_rotation import KeyRotation
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.privacy import Privacy
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.web_api import SERVER_ROOT, Callers, WebApi
from infrastructure.definitions import defaults_as_json, read_definitions
from infrastructure.fields import Access, Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import REFRESH_TIMEOUT, DataStack
from infrastructure.stacks.experiments import ExperimentsStack
from infrastructure.stacks.ingestion import IngestionStack

GUESTS: Final = (
    (HttpMethod.POST, f"{SERVER_ROOT}/guests"),
    (HttpMethod.PUT, f"{SERVER_ROOT}/guests/{{user_id}}"),
)
"""Routes of the site's server, which gives each visitor a token."""


class ServingStack(AttuneStack):
    """The HTTP API, the read path, and the refresh of lists behind it."""

    def __init__(
        self,
        scope: Construct,
        part: str,
        *,
        environment: Environment,
        data: DataStack,
        ingestion: IngestionStack,
        experiments: ExperimentsStack,
    ) -> None:
        super().__init__(scope, part, environment=environment)
        self._data = data
        self._experiments = experiments
        self._layers = Layers(self, "Layers", environment=environment)
        self.get_recommendations = self._get_recommendations()
        self.exposure_archive = ExposureArchive(
            self,
            "ExposureArchive",
            source=self.get_recommendations,
            lake=data.lake,
            key=data.key,
            layers=self._layers,
            environment=environment,
        )
        self.get_trending = self._get_trending()
        self.get_experiment = self._get_experiment()
        self.refresh_recommendations = self._refresh_recommendations()
        self.authorize = None if environment.access is Access.OPEN else self._authorize()
        self.issue_guest_token = self._issue_guest_token()
        self.api = WebApi(self, "WebApi", environment=environment, authorize=self.authorize)
        self.api.route(HttpMethod.POST, "/v1/events", ingestion.ingest_events)
        self.api.route(HttpMethod.GET, "/v1/users/{user_id}/recommendations", self.get_recommendations)
        self.api.route(HttpMethod.PUT, "/v1/users/{user_id}/consent", ingestion.put_consent)
        self.api.route(HttpMethod.GET, "/v1/trending", self.get_trending)
        for method, path in GUESTS:
            self.api.route(method, path, self.issue_guest_token, callers=Callers.BACKENDS)
        self.privacy = Privacy(
            self,
            "Privacy",
            environment=environment,
            api=self.api,
            data=data,
            experiments=experiments,
            layers=self._layers,
        )
        console = Console(
            self,
            "Console",
            environment=environment,
            api=self.api,
            data=data,
            experiments=experiments,
            layers=self._layers,
        )
        for method, path, function in (
            (HttpMethod.PUT, "/v1/items", ingestion.put_items),
            (HttpMethod.GET, "/v1/experiments", self.get_experiment),
            (HttpMethod.GET, "/v1/experiments/{name}", self.get_experiment),
        ):
            self.api.route(method, path, function, callers=Callers.OPERATORS)
        self.key_rotation = self._key_rotation() if environment.capabilities.secret_rotation else None
        CfnOutput(self, "ApiUrl", value=self.api.url)
        CfnOutput(self, "ConsoleUrl", value=console.url)
        CfnOutput(self, "EraseFunctionName", value=self.privacy.erase_users.function_name)
        CfnOutput(self, "ApiId", value=self.api.api.api_id)

    def _authorize(self) -> PythonFunction:
        provider = self.settings.identity_provider
        function = PythonFunction(
            self,
            "Authorize",
            name="authorize",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base, self._layers.cryptography],
            variables={
                "GUEST_SECRET_ARN": self._data.guest_secret.secret_arn,
                "ISSUER": provider.issuer if provider else "none",
                "AUDIENCE": provider.audience if provider else "none",
                "KEYS_URL": provider.keys_url if provider else "none",
            },
            memory_mb=1024,
            timeout=Duration.seconds(10),
        )
        grant_secret(self._data.guest_secret, function)
        return function

    def _issue_guest_token(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "IssueGuestToken",
            name="issue_guest_token",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base],
            variables={"GUEST_SECRET_ARN": self._data.guest_secret.secret_arn},
            memory_mb=512,
            timeout=Duration.seconds(10),
        )
        grant_secret(self._data.guest_secret, function)
        return function

    def _key_rotation(self) -> KeyRotation:
        return KeyRotation(
            self,
            "KeyRotation",
            token_secret=self._data.token_secret,
            guest_secret=self._data.guest_secret,
            layers=self._layers,
            environment=self.settings,
        )

    def _get_recommendations(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "GetRecommendations",
            name="get_recommendations",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base],
            variables={
                "TABLE_NAME": data.table.table_name,
                "REFRESH_QUEUE_URL": data.refresh_queue.queue_url,
                **self._ways_out(),
                "USER_KEY_SECRET_ARN": data.user_key_secret.secret_arn,
                "TOKEN_SECRET_ARN": data.token_secret.secret_arn,
                "EXPERIMENTS_ADDRESS": self._experiments.address,
                "DEFAULT_TREATMENTS": defaults_as_json(read_definitions()),
                "CONSENT_DEFAULT": self.settings.consent_default,
            },
            memory_mb=1024,
            timeout=Duration.seconds(10),
        )
        self._experiments.grant_read(function)
        grant_items(data.table, function, "BatchGetItem", keys=[USERS, SEGMENTS, CATALOG, MODEL])
        grant_objects(data.models, "shared/", function, "GetObject")
        grant_send(data.refresh_queue, function)
        grant_secret(data.user_key_secret, function)
        grant_secret(data.token_secret, function)
        return function

    def _get_trending(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "GetTrending",
            name="get_trending",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base],
            variables={"TABLE_NAME": self._data.table.table_name, **self._ways_out()},
            memory_mb=512,
            timeout=Duration.seconds(10),
        )
        grant_items(self._data.table, function, "BatchGetItem", keys=[SEGMENTS, CATALOG, MODEL])
        grant_objects(self._data.models, "shared/", function, "GetObject")
        return function

    def _ways_out(self) -> dict[str, str]:
        """Return what an answer is made of when the table can't be read, and when it is due."""
        return {
            "MODEL_BUCKET": self._data.models.bucket_name,
            "ANSWER_MILLISECONDS": str(self.settings.answer_milliseconds),
        }

    def _get_experiment(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "GetExperiment",
            name="get_experiment",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base],
            variables={
                "TABLE_NAME": self._data.table.table_name,
                "EXPERIMENTS_ADDRESS": self._experiments.address,
            },
            memory_mb=512,
            timeout=Duration.seconds(10),
        )
        self._experiments.grant_read(function)
        grant_items(self._data.table, function, "BatchGetItem", keys=[EXPERIMENTS, ANALYZED])
        return function

    def _refresh_recommendations(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "RefreshRecommendations",
            name="refresh_recommendations",
            environment=self.settings,
            layers=[self._layers.personalization, self._layers.base, self._layers.ranking],
            variables={
                "TABLE_NAME": data.table.table_name,
                "MODEL_BUCKET": data.models.bucket_name,
                "EXPERIMENTS_ADDRESS": self._experiments.address,
                "CONSENT_DEFAULT": self.settings.consent_default,
            },
            memory_mb=1769,
            timeout=REFRESH_TIMEOUT,
            # A model takes about 2.5 KB an item on disk; Lambda's 512 MB would end at 200,000 items.
            scratch=Size.gibibytes(2),
        )
        self._experiments.grant_read(function)
        grant_items(data.table, function, "BatchGetItem", keys=[USERS, MODEL])
        grant_items(data.table, function, "PutItem", keys=[USERS])
        grant_objects(data.models, "models/", function, "GetObject")
        grant_listing(data.models, function)
        data.refresh_queue.feed(function, batch_size=10, max_concurrency=self.settings.refresh_concurrency)
        return function
