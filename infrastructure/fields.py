"""The fields of an environment, typed: all that may differ between two deployments."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infrastructure.errors import (
    FloorError,
    InvalidAccessError,
    RetentionError,
    UnsupportedEngineError,
    UnsupportedRolloutError,
)
from personalization.names import NAMESPACE, Consent

LOCAL_ACCOUNT: Final = "000000000000"
"""The account of the local AWS. No real account has this number, so `local` deploys nowhere else."""
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")

_MOST_USERS: Final = 50
"""Lists of segments have this floor in any environment."""


class Architecture(StrEnum):
    """Processor of the Lambdas, and so of the native wheels in their layers."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


class Access(StrEnum):
    """Who may call the HTTP API."""

    OPEN = "open"
    """Anybody who reaches it; only for the local AWS."""
    GUARDED = "guarded"
    """Browsers and apps with a token of their user, backends with signed requests, operators with a scope."""


@dataclass(frozen=True, kw_only=True)
class IdentityProvider:
    """Who vouches for the company's signed-in users, by access tokens that are JWTs (docs/access.md)."""

    issuer: str
    """As the tokens name it, letter by letter."""
    audience: str
    """Whom the tokens are for: this API as the provider knows it, not the client that asks."""
    keys_url: str
    """Where the provider publishes its keys: `jwks_uri` of its `/.well-known/openid-configuration`."""


class Rollout(StrEnum):
    """How a function's new version takes over from the one in service, by CodeDeploy's names."""

    AT_ONCE = "AllAtOnce"
    """By CloudFormation alone, and watched by nothing."""
    CANARY_5_MINUTES = "LambdaCanary10Percent5Minutes"
    """A tenth of the calls for so long, then all."""
    CANARY_30_MINUTES = "LambdaCanary10Percent30Minutes"
    LINEAR_10_MINUTES = "LambdaLinear10PercentEvery1Minute"


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
    seldom_per_second: int
    """Of each route that people and nightly jobs call, and no page view: catalogue, experiments, console."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A CloudFront distribution with a firewall before the API, for browsers and apps."""

    domain: str
    """What browsers call; its DNS record points to the distribution."""
    certificate_arn: str
    """Of that domain, in us-east-1. CloudFront's own certificate would let TLS 1.0 pass."""
    api_host: str
    """The host in the output `ApiUrl`: CloudFront takes firewalls of us-east-1 alone, so they come second."""
    requests_per_address: int
    """In five minutes, of one address, before it is refused for a while; many people may share one."""
    requests_per_client: int
    """In five minutes, of one token."""


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
class Retention:
    """Days after which what is about people goes by itself; `docs/privacy.md` has all stores and periods.

    Objects are counted from their last writing: what an erasure rewrites begins anew.
    """

    events: int
    """The lake's events. Features look back 365 days: with less, a rebuilt profile knows less."""
    exposures: int
    quarantine: int
    """What can't be processed; later nobody mends it."""
    experiment_states: int
    """Sums by user of an experiment, from when its analysis wrote them last."""
    replaced_objects: int | None
    """What was overwritten or deleted in the lake can be brought back so long; `None`: not at all."""

    def __post_init__(self) -> None:
        for name, days in vars(self).items():
            if days is not None and days < 1:
                raise RetentionError(name)


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
    secret_rotation: bool
    """Secrets Manager gives the keys of signatures new values by itself."""
    named_queries: bool
    """Athena keeps the usual questions to the lake; elsewhere they are text in `infrastructure/queries`."""
    code_deploy: bool
    """New versions of functions may take over bit by bit, and be taken back by alarms."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Everything that differs between two deployments of Attune."""

    name: str
    account: str | None
    """`None`: that of the credentials at deploy time."""
    region: str | None
    architecture: Architecture
    access: Access
    identity_provider: IdentityProvider | None
    """Besides guests, whose tokens are Attune's own; `None`: guests alone."""
    allowed_origins: tuple[str, ...]
    """Of the pages whose scripts may call the API, as "https://shop.example"."""
    throttle: Throttle
    edge: Edge | None
    consent_default: Consent
    """Of users who never said anything. Where the law wants to be asked first, as in the EU: `FUNCTIONAL`."""
    stream: Stream
    training: Training
    click_rate_alarm: ClickRateAlarm
    limits: AlarmLimits
    answer_milliseconds: int
    """How long a read may take once its container is warm; something stands in for what takes longer."""
    rollout: Rollout
    """Of functions behind the API, the stream and the queue."""
    refresh_concurrency: int
    """Copies of `refresh_recommendations` at once; at least 2, as Lambda demands."""
    experiment_bake_minutes: int
    """So long after experiments are deployed does an alarm take the new definitions back. 0 to 1,440."""
    log_retention_days: int
    retention: Retention
    fewest_users: int
    """Distinct users behind what is told of many: shared lists, answers to the usual questions. 1 to 50."""
    tracing: bool
    retain_data: bool
    """Deleting a stack leaves table, buckets, stream and secrets, and the table can't be deleted."""
    point_in_time_recovery: bool
    customer_managed_key: bool
    """Data at rest is encrypted under a key of this deployment, about $1 a month and request fees."""
    capabilities: Capabilities

    def __post_init__(self) -> None:
        if not 1 <= self.fewest_users <= _MOST_USERS:
            raise FloorError(self.name, _MOST_USERS)
        if isinstance(self.training.engine, SageMakerEngine) and not self.capabilities.sagemaker:
            raise UnsupportedEngineError(self.name)
        if self.rollout is not Rollout.AT_ONCE and not self.capabilities.code_deploy:
            raise UnsupportedRolloutError(self.name)
        self._check_access()

    def _check_access(self) -> None:
        local = self.runs_on_this_machine
        if self.access is Access.OPEN and not local:
            raise InvalidAccessError(self.name, "only the local AWS may be open; choose Access.GUARDED")
        if self.identity_provider and not _is_safe(self.identity_provider.keys_url, local=local):
            raise InvalidAccessError(self.name, "keys are fetched over https only")
        for origin in self.allowed_origins:
            if not (_is_safe(origin, local=local) and _ORIGIN.fullmatch(origin)):
                raise InvalidAccessError(self.name, f"{origin!r} is no origin as https://shop.example")

    @property
    def metrics_namespace(self) -> str:
        """Under which Attune's own metrics are kept, apart from those of its neighbours in an account."""
        return NAMESPACE if self.runs_on_this_machine else f"{NAMESPACE}/{self.name}"

    @property
    def runs_on_this_machine(self) -> bool:
        """Whether the Lambdas are processes of this machine."""
        return self.account == LOCAL_ACCOUNT


def _is_safe(url: str, *, local: bool) -> bool:
    """Whether what comes from an address can't be changed on the way; on one machine nobody is in between."""
    return url.startswith("https://") or (
        local and url.startswith(("http://127.0.0.1:", "http://localhost:"))
    )
