"""The environments side by side, as typed values: whatever differs between them is a field here.

Free of `aws_cdk`, whose import starts Node, so that tools may read an environment cheaply.
"""

import platform
import re
from dataclasses import replace
from typing import Final

from infrastructure.errors import UnknownEnvironmentError, UnknownRolloutError, UnusableNameError
from infrastructure.fields import (
    LOCAL_ACCOUNT,
    Access,
    AlarmLimits,
    Architecture,
    Capabilities,
    ClickRateAlarm,
    Environment,
    LambdaEngine,
    Retention,
    Rollout,
    SageMakerEngine,
    Stream,
    Throttle,
    Training,
)
from personalization.names import Consent

__all__ = [
    "DEV",
    "ENVIRONMENTS",
    "LOCAL",
    "LOCAL_ACCOUNT",
    "LOCAL_REGION",
    "PROD",
    "as_asked",
    "environment_named",
]

LOCAL_REGION: Final = "us-east-1"
_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,15}")


def host_architecture() -> Architecture:
    """Return the architecture of this machine, which runs the Lambdas of the local AWS."""
    is_arm = platform.machine().lower() in {"aarch64", "arm64"}
    return Architecture.ARM64 if is_arm else Architecture.X86_64


LOCAL: Final = Environment(
    name="local",
    account=LOCAL_ACCOUNT,
    region=LOCAL_REGION,
    architecture=host_architecture(),
    access=Access.OPEN,
    identity_provider=None,
    allowed_origins=(),
    throttle=Throttle(requests_per_second=1_000, burst=2_000, seldom_per_second=100),
    edge=None,
    consent_default=Consent.PERSONALIZATION,
    stream=Stream(
        shards=1,
        retention_hours=24,
        profile_batch=500,
        profile_batches_per_shard=1,
        profile_window_seconds=0,
        archive_window_seconds=1,
    ),
    training=Training(
        engine=LambdaEngine(memory_mb=3008, scratch_gb=4),
        ranking_shards=2,
        nightly=False,
        rollback_hours=None,
    ),
    click_rate_alarm=ClickRateAlarm(floor_percent=1.0, minimum_impressions=500),
    limits=AlarmLimits(p99_milliseconds=1_000, fallback_percent=50, monthly_dollars=50),
    # The local AWS shares this machine's processors with whatever else runs.
    answer_milliseconds=4_000,
    rollout=Rollout.AT_ONCE,
    refresh_concurrency=2,
    experiment_bake_minutes=0,
    log_retention_days=1,
    fewest_users=5,
    retention=Retention(
        events=400, exposures=400, quarantine=30, experiment_states=90, replaced_objects=None
    ),
    tracing=True,
    retain_data=False,
    point_in_time_recovery=True,
    customer_managed_key=False,
    capabilities=Capabilities(
        enhanced_fan_out=False,
        anomaly_detection=False,
        budgets=False,
        sagemaker=False,
        secret_rotation=False,
        named_queries=False,
        code_deploy=False,
    ),
)

DEV: Final = Environment(
    name="dev",
    account=None,
    region=None,
    architecture=Architecture.ARM64,
    access=Access.GUARDED,
    identity_provider=None,
    allowed_origins=(),
    throttle=Throttle(requests_per_second=100, burst=200, seldom_per_second=10),
    edge=None,
    consent_default=Consent.PERSONALIZATION,
    stream=Stream(
        shards=1,
        retention_hours=24,
        profile_batch=500,
        profile_batches_per_shard=1,
        profile_window_seconds=1,
        archive_window_seconds=60,
    ),
    training=Training(
        engine=LambdaEngine(memory_mb=3008, scratch_gb=4),
        ranking_shards=4,
        nightly=True,
        rollback_hours=None,
    ),
    click_rate_alarm=ClickRateAlarm(floor_percent=1.0, minimum_impressions=1_000),
    limits=AlarmLimits(p99_milliseconds=1_000, fallback_percent=50, monthly_dollars=50),
    answer_milliseconds=800,
    rollout=Rollout.AT_ONCE,
    refresh_concurrency=5,
    experiment_bake_minutes=0,
    log_retention_days=14,
    fewest_users=20,
    retention=Retention(events=90, exposures=90, quarantine=30, experiment_states=90, replaced_objects=None),
    tracing=True,
    retain_data=False,
    point_in_time_recovery=True,
    customer_managed_key=False,
    capabilities=Capabilities(
        enhanced_fan_out=False,
        anomaly_detection=True,
        budgets=True,
        sagemaker=True,
        secret_rotation=True,
        named_queries=True,
        code_deploy=True,
    ),
)

PROD: Final = Environment(
    name="prod",
    account=None,
    region=None,
    architecture=Architecture.ARM64,
    access=Access.GUARDED,
    identity_provider=None,
    allowed_origins=(),
    throttle=Throttle(requests_per_second=2_000, burst=4_000, seldom_per_second=50),
    edge=None,
    consent_default=Consent.FUNCTIONAL,
    stream=Stream(
        shards=None,
        retention_hours=168,
        profile_batch=500,
        profile_batches_per_shard=4,
        profile_window_seconds=1,
        archive_window_seconds=120,
    ),
    training=Training(
        engine=SageMakerEngine(
            instance_type="ml.m5.2xlarge",
            training_instances=1,
            ranking_instances=4,
            spot=True,
            volume_gb=100,
        ),
        ranking_shards=32,
        nightly=True,
        rollback_hours=24,
    ),
    click_rate_alarm=ClickRateAlarm(floor_percent=1.0, minimum_impressions=10_000),
    limits=AlarmLimits(p99_milliseconds=1_000, fallback_percent=50, monthly_dollars=1_000),
    answer_milliseconds=800,
    rollout=Rollout.CANARY_5_MINUTES,
    refresh_concurrency=50,
    experiment_bake_minutes=30,
    log_retention_days=90,
    fewest_users=20,
    retention=Retention(events=400, exposures=400, quarantine=90, experiment_states=90, replaced_objects=3),
    tracing=True,
    retain_data=True,
    point_in_time_recovery=True,
    customer_managed_key=True,
    capabilities=Capabilities(
        enhanced_fan_out=True,
        anomaly_detection=True,
        budgets=True,
        sagemaker=True,
        secret_rotation=True,
        named_queries=True,
        code_deploy=True,
    ),
)

ENVIRONMENTS: Final = {environment.name: environment for environment in (LOCAL, DEV, PROD)}


def environment_named(name: str) -> Environment:
    """Return the environment called `name`.

    Raises
    ------
    UnknownEnvironmentError
        When there is none; the message lists those there are.
    """
    try:
        return ENVIRONMENTS[name]
    except KeyError:
        raise UnknownEnvironmentError(name, known=sorted(ENVIRONMENTS)) from None


def as_asked(environment: str, *, name: str | None = None, rollout: str | None = None) -> Environment:
    """Return an environment as the context flags want it.

    Parameters
    ----------
    name
        Of a deployment beside others of its kind in one account: `-c environment=dev -c name=ann`. Without
        hyphens, so that no name with the hyphen after it, as in `attune-ann-data`, begins another.
    rollout
        `at-once`, for when the version in service does harm and a canary would take too long.

    Raises
    ------
    UnknownEnvironmentError
        There is no such environment.
    UnusableNameError
        It is another environment's, or holds what some AWS name can't.
    UnknownRolloutError
        There is no such rollout.
    """
    chosen = environment_named(environment)
    if name is not None and name != chosen.name:
        if name in ENVIRONMENTS:
            raise UnusableNameError(name, f"it is the environment {name}'s")
        if not _NAME.fullmatch(name):
            raise UnusableNameError(name, "2 to 16 small letters and digits, a letter first")
        chosen = replace(chosen, name=name)
    if rollout is not None:
        known = {kind.name.lower().replace("_", "-"): kind for kind in Rollout}
        if rollout not in known:
            raise UnknownRolloutError(rollout, known=sorted(known))
        chosen = replace(chosen, rollout=known[rollout])
    return chosen
