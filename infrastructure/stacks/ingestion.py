"""From an accepted event to a profile and to the lake."""

from aws_cdk import Duration
from constructs import Construct

from infrastructure.constructs.grants import (
    CATALOG,
    ITEMS,
    USERS,
    grant_items,
    grant_objects,
    grant_secret,
    grant_send,
)
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.stream_consumer import Batching, StreamConsumer
from infrastructure.fields import Environment
from infrastructure.stacks.base import AttuneStack
from infrastructure.stacks.data import DataStack


class IngestionStack(AttuneStack):
    """The writers of the stream and its two readers."""

    def __init__(self, scope: Construct, part: str, *, environment: Environment, data: DataStack) -> None:
        super().__init__(scope, part, environment=environment)
        self._data = data
        layers = Layers(self, "Layers", environment=environment)
        self._layers = [layers.personalization, layers.base]
        self.ingest_events = self._ingest_events()
        self.put_items = self._put_items()
        self.put_consent = self._put_consent()
        self.update_profiles = self._update_profiles()
        self.archive_events = self._archive_events()
        self.profile_consumer = self._profile_consumer()
        self.archive_consumer = self._archive_consumer()
        # CloudFormation keeps an export as long as a stack of the release before imports it.
        for function in (self.ingest_events, self.put_items):
            self.export_value(function.function_arn)

    def _ingest_events(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "IngestEvents",
            name="ingest_events",
            environment=self.settings,
            layers=self._layers,
            variables={
                "STREAM_NAME": data.stream.stream_name,
                "USER_KEY_SECRET_ARN": data.user_key_secret.secret_arn,
                "GUEST_SECRET_ARN": data.guest_secret.secret_arn,
                "TABLE_NAME": data.table.table_name,
                "CONSENT_DEFAULT": self.settings.consent_default,
            },
            memory_mb=512,
            timeout=Duration.seconds(15),
        )
        data.stream.grant(function, "kinesis:PutRecords")
        grant_items(data.table, function, "BatchGetItem", keys=[USERS])
        grant_secret(data.user_key_secret, function)
        grant_secret(data.guest_secret, function)
        return function

    def _put_consent(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "PutConsent",
            name="put_consent",
            environment=self.settings,
            layers=self._layers,
            variables={
                "TABLE_NAME": data.table.table_name,
                "STREAM_NAME": data.stream.stream_name,
                "ERASURE_QUEUE_URL": data.erasure_queue.queue_url,
                "USER_KEY_SECRET_ARN": data.user_key_secret.secret_arn,
                "CONSENT_DEFAULT": self.settings.consent_default,
            },
            memory_mb=512,
            timeout=Duration.seconds(15),
        )
        data.stream.grant(function, "kinesis:PutRecords")
        grant_items(data.table, function, "BatchGetItem", "PutItem", "Query", keys=[USERS])
        grant_send(data.erasure_queue, function)
        grant_secret(data.user_key_secret, function)
        return function

    def _put_items(self) -> PythonFunction:
        function = PythonFunction(
            self,
            "PutItems",
            name="put_items",
            environment=self.settings,
            layers=self._layers,
            variables={"STREAM_NAME": self._data.stream.stream_name},
            memory_mb=512,
            timeout=Duration.seconds(15),
        )
        self._data.stream.grant(function, "kinesis:PutRecords")
        return function

    def _update_profiles(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "UpdateProfiles",
            name="update_profiles",
            environment=self.settings,
            layers=self._layers,
            variables={
                "TABLE_NAME": data.table.table_name,
                "STREAM_NAME": data.stream.stream_name,
                "REFRESH_QUEUE_URL": data.refresh_queue.queue_url,
                "ERASURE_QUEUE_URL": data.erasure_queue.queue_url,
                "CONSENT_DEFAULT": self.settings.consent_default,
                "QUARANTINE_BUCKET": data.lake.bucket_name,
                "TOKEN_SECRET_ARN": data.token_secret.secret_arn,
            },
            memory_mb=1024,
            timeout=Duration.minutes(1),
        )
        grant_items(data.table, function, "BatchGetItem", "PutItem", keys=[USERS, ITEMS])
        grant_items(data.table, function, "Query", keys=[USERS])
        grant_items(data.table, function, "UpdateItem", keys=[CATALOG])
        grant_send(data.refresh_queue, function)
        grant_send(data.erasure_queue, function)
        grant_objects(data.lake, "quarantine/", function, "PutObject")
        grant_secret(data.token_secret, function)
        return function

    def _archive_events(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "ArchiveEvents",
            name="archive_events",
            environment=self.settings,
            layers=self._layers,
            variables={
                "LAKE_BUCKET": data.lake.bucket_name,
                "STREAM_NAME": data.stream.stream_name,
            },
            memory_mb=512,
            timeout=Duration.minutes(1),
        )
        grant_objects(data.lake, "events/", function, "PutObject")
        return function

    def _profile_consumer(self) -> StreamConsumer:
        capacity = self.settings.stream
        return StreamConsumer(
            self,
            "ProfileConsumer",
            function=self.update_profiles,
            stream=self._data.stream,
            batching=Batching(
                size=capacity.profile_batch,
                window=Duration.seconds(capacity.profile_window_seconds),
                per_shard=capacity.profile_batches_per_shard,
            ),
            enhanced_fan_out=self.settings.capabilities.enhanced_fan_out,
        )

    def _archive_consumer(self) -> StreamConsumer:
        window = Duration.seconds(self.settings.stream.archive_window_seconds)
        return StreamConsumer(
            self,
            "ArchiveConsumer",
            function=self.archive_events,
            stream=self._data.stream,
            # Each batch is at least one object, and training opens them all.
            batching=Batching(size=5_000, window=window, per_shard=1),
        )
