"""What a person may ask for: to see what is held about them, and to be forgotten."""

import json
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk.aws_apigatewayv2 import HttpMethod
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from infrastructure.constructs.grants import (
    ITEMS,
    USERS,
    grant_items,
    grant_listing,
    grant_objects,
    grant_secret,
    grant_send,
)
from infrastructure.constructs.layers import Layers
from infrastructure.constructs.python_function import PythonFunction
from infrastructure.constructs.queues import DEAD_LETTERS_KEPT, DeadLetterQueue, FailedEvents
from infrastructure.constructs.web_api import WebApi
from infrastructure.fields import Environment
from infrastructure.stacks.data import ANSWERS_LIVE, ERASURE_TIMEOUT, RUNS_LIVE, TOMBSTONES_LIVE, DataStack
from infrastructure.stacks.experiments import ExperimentsStack

_BACKUPS_LIVE: Final = Duration.days(35)
"""How far back a table can be restored: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html"""
_REWRITTEN: Final = ("events/", "exposures/", "experiments/state/")


class Privacy(Construct):
    """Three routes, and the function that does what takes minutes, for messages and once an hour.

    Attributes
    ----------
    failed
        Hourly rounds that were given up; what they were to do, the next one does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        api: WebApi,
        data: DataStack,
        experiments: ExperimentsStack,
        layers: Layers,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._data = data
        self._experiments = experiments
        self._layers = layers
        # A message holds the time of a round, and nobody's name.
        self.failed = DeadLetterQueue(self, "Failed", key=None)
        self.erase_users = self._erase_users()
        self.delete_user = self._delete_user()
        self.get_user = self._get_user()
        self.get_erasure = self._get_erasure()
        api.route(HttpMethod.DELETE, "/v1/users/{user_id}", self.delete_user)
        api.route(HttpMethod.GET, "/v1/users/{user_id}", self.get_user)
        api.route(HttpMethod.GET, "/v1/erasures/{erasure_id}", self.get_erasure)

    def _function(
        self, construct_id: str, name: str, variables: dict[str, str], *, memory_mb: int = 512
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            name=name,
            environment=self._environment,
            layers=[self._layers.personalization, self._layers.base],
            variables=variables,
            memory_mb=memory_mb,
            timeout=Duration.seconds(15),
        )

    def _delete_user(self) -> PythonFunction:
        data = self._data
        function = self._function("DeleteUser", "delete_user", self._of_users())
        grant_items(data.table, function, "BatchGetItem", "PutItem", "Query", "DeleteItem", keys=[USERS])
        grant_objects(data.lake, "erasures/", function, "PutObject")
        grant_send(data.erasure_queue, function)
        grant_secret(data.user_key_secret, function)
        return function

    def _get_user(self) -> PythonFunction:
        data = self._data
        variables = self._of_users() | {"EXPERIMENTS_ADDRESS": self._experiments.address}
        function = self._function("GetUser", "get_user", variables)
        self._experiments.grant_read(function)
        grant_items(data.table, function, "BatchGetItem", keys=[USERS, ITEMS])
        grant_items(data.table, function, "Query", keys=[USERS])
        grant_listing(data.lake, function, prefix="exports/")
        # Not called: links to exports are signed with it.
        grant_objects(data.lake, "exports/", function, "GetObject")
        grant_send(data.erasure_queue, function)
        grant_secret(data.user_key_secret, function)
        return function

    def _get_erasure(self) -> PythonFunction:
        lake = self._data.lake
        function = self._function("GetErasure", "get_erasure", {"LAKE_BUCKET": lake.bucket_name})
        grant_listing(lake, function, prefix="erasures/receipts/")
        grant_objects(lake, "erasures/receipts/", function, "GetObject")
        return function

    def _of_users(self) -> dict[str, str]:
        data = self._data
        return {
            "TABLE_NAME": data.table.table_name,
            "LAKE_BUCKET": data.lake.bucket_name,
            "ERASURE_QUEUE_URL": data.erasure_queue.queue_url,
            "USER_KEY_SECRET_ARN": data.user_key_secret.secret_arn,
        }

    def _erase_users(self) -> PythonFunction:
        data = self._data
        function = PythonFunction(
            self,
            "EraseUsers",
            name="erase_users",
            packages=["training"],
            environment=self._environment,
            layers=[self._layers.personalization, self._layers.base, self._layers.ranking],
            variables={
                "TABLE_NAME": data.table.table_name,
                "LAKE_BUCKET": data.lake.bucket_name,
                "MODEL_BUCKET": data.models.bucket_name,
                "RETENTION": json.dumps(_retention(self._environment)),
            },
            memory_mb=3008,
            timeout=ERASURE_TIMEOUT,
        )
        grant_items(data.table, function, "BatchGetItem", "PutItem", "Query", "DeleteItem", keys=[USERS])
        self._let_rewrite(function)
        data.erasure_queue.feed(function, batch_size=10, max_concurrency=2)
        function.live.configure_async_invoke(
            on_failure=FailedEvents(self.failed), retry_attempts=1, max_event_age=Duration.hours(1)
        )
        self._schedule(function)
        return function

    def _let_rewrite(self, function: PythonFunction) -> None:
        lake, models = self._data.lake, self._data.models
        for prefix in _REWRITTEN:
            grant_objects(lake, prefix, function, "GetObject", "PutObject")
        grant_objects(lake, "quarantine/", function, "GetObject", "DeleteObject")
        grant_objects(lake, "exports/", function, "PutObject", "DeleteObject")
        grant_objects(lake, "erasures/", function, "PutObject")
        grant_objects(lake, "erasures/pending/", function, "GetObject", "DeleteObject")
        # Whole buckets: to others S3 says of an object that was deleted meanwhile that it may not be read.
        for bucket in (lake, models):
            grant_listing(bucket, function)
        for prefix in ("runs/", "snapshots/"):
            grant_objects(models, prefix, function, "GetObject", "DeleteObject")

    def _schedule(self, function: PythonFunction) -> None:
        role = iam.Role(self, "Starter", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        scheduler.Schedule(
            self,
            "Hourly",
            schedule=scheduler.ScheduleExpression.cron(minute="40"),
            target=LambdaInvoke(
                function.live,
                role=role,
                dead_letter_queue=self.failed,
                max_event_age=Duration.minutes(30),
                retry_attempts=3,
            ),
        )


def _retention(environment: Environment) -> dict[str, float]:
    """Days that copies are kept which nobody can rewrite, by what a receipt calls them."""
    days = {
        "answers to queries": ANSWERS_LIVE.to_days(),
        "failed messages": DEAD_LETTERS_KEPT.to_days(),
        "log lines": environment.log_retention_days,
        "stream records": environment.stream.retention_hours / 24,
        "tombstone": TOMBSTONES_LIVE.to_days(),
        "training arrays without keys": RUNS_LIVE.to_days(),
    }
    if environment.point_in_time_recovery:
        days["backups of profiles"] = _BACKUPS_LIVE.to_days()
    if environment.retention.replaced_objects is not None:
        days["replaced objects of the lake"] = environment.retention.replaced_objects
    return days
