"""The fields of an environment, typed: all that may differ between two deployments."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infrastructure.errors import UnsupportedEngineError
from personalization.names import Consent

LOCAL_ACCOUNT: Final = "000000000000"
"""The account of the local AWS. No real account has this number, so `local` deploys nowhere else."""


class Architecture(StrEnum):
    """Processor of the Lambdas, and so of the native wheels in their layers."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


class Access(StrEnum):
    """Who may call the HTTP API."""

    OPEN = "open"
    """Anybody who reaches it; only for the local AWS."""
    IAM = "iam"
    """Principals of the account allowed `execute-api:Invoke`, with signed requests."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Capacity of the event stream and of the mappings that read it."""

    shards: int | None
    """Provisioned shards; `None` means on demand."""
    retention_hours: int
    profile_batch: int
    """Events in a batch of `update_profiles`."""
    profile_batches_per_shard: int
    """Its batches in flight per shard; a partition key is never in two at once. 1 to 10."""
    profile_window_seconds: int
    """How long `update_profiles` waits for a batch to fill; part of event-to-changed-list time."""
    archive_window_seconds: int
    """How long `archive_events` waits: the longer, the fewer and larger the objects of the lake. 0 to 300."""


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Limits of the HTTP API's stage, for all callers together."""

    requests_per_second: int
    burst: int


@dataclass(frozen=True, kw_only=True)
class ClickRateAlarm:
    """When a click-through rate counts as dropped."""

    floor_percent: float
    minimum_impressions: int
    """Items shown in an hour, below which the rate is noise and the alarm stays quiet."""


@dataclass(frozen=True, kw_only=True)
class AlarmLimits:
    """What a shop can stand before somebody is told."""

    p99_milliseconds: int
    """Of the API's answers."""
    fallback_percent: int
    """Share of answers that are not the user's own list; a shop of passers-by has more of them."""
    monthly_dollars: int
    """The bill of the account; somebody is told when it will be, and when it is, more."""


@dataclass(frozen=True, kw_only=True)
class LambdaEngine:
    """Every step of the slow loop is a Lambda; a preflight refuses what would not fit."""

    memory_mb: int
    """At most 3,008 in an account that has not asked AWS for more."""
    scratch_gb: int


@dataclass(frozen=True, kw_only=True)
class SageMakerEngine:
    """The large steps of the slow loop are SageMaker jobs, in an image that is built in the account."""

    instance_type: str
    """Of every job; x86-64, with volumes on EBS: those alone can be encrypted under a key of one's own."""
    training_instances: int
    """More than one train together, each on its share of the users."""
    ranking_instances: int
    """At most as many as there are shards."""
    spot: bool
    """Training waits for spare capacity, at a fraction of the price, and goes on after an interruption."""
    volume_gb: int


@dataclass(frozen=True, kw_only=True)
class Training:
    """The slow loop."""

    engine: LambdaEngine | SageMakerEngine
    ranking_shards: int
    """Files that the users are dealt to; so many Lambdas, or what SageMaker's instances share out."""
    nightly: bool
    """Whether the schedule is switched on."""
    rollback_hours: int | None
    """So long after a publish does a drop of the click-through rate put the model before back in service;
    `None`: never, an operator decides."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What not every AWS can do: the local one refuses a whole template for one unknown type."""

    enhanced_fan_out: bool
    """`update_profiles` reads through its own consumer: 2 MB/s a shard of its own, 70 ms instead of 1 s."""
    anomaly_detection: bool
    """An alarm on traffic outside of its learned band."""
    budgets: bool
    """The bill is watched, by AWS Budgets and on the dashboard."""
    sagemaker: bool
    """Steps of the slow loop may be SageMaker jobs."""
    named_queries: bool
    """Athena keeps the usual questions to the lake; elsewhere they are text in `infrastructure/queries`."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Everything that differs between two deployments of Attune."""

    name: str
    account: str | None
    """`None`: that of the credentials at deploy time."""
    region: str | None
    architecture: Architecture
    access: Access
    throttle: Throttle
    consent_default: Consent
    """Of users who never said anything. Where the law wants to be asked first, as in the EU: `FUNCTIONAL`."""
    stream: Stream
    training: Training
    click_rate_alarm: ClickRateAlarm
    limits: AlarmLimits
    refresh_concurrency: int
    """Copies of `refresh_recommendations` at once; at least 2, as Lambda demands."""
    experiment_bake_minutes: int
    """So long after experiments are deployed does an alarm take the new definitions back. 0 to 1,440."""
    log_retention_days: int
    tracing: bool
    retain_data: bool
    """Deleting a stack leaves table, buckets, stream and secrets, and the table can't be deleted."""
    point_in_time_recovery: bool
    customer_managed_key: bool
    """Data at rest is encrypted under a key of this deployment, about $1 a month and request fees."""
    capabilities: Capabilities

    def __post_init__(self) -> None:
        if isinstance(self.training.engine, SageMakerEngine) and not self.capabilities.sagemaker:
            raise UnsupportedEngineError(self.name)

    @property
    def runs_on_this_machine(self) -> bool:
        """Whether the Lambdas are processes of this machine."""
        return self.account == LOCAL_ACCOUNT
