"""Training, ranking and publishing every night, the lists they leave, and the hourly analysis."""

from collections.abc import Iterator, Mapping
from typing import Final

from infrastructure.cost.fast_loop import archive_batches
from infrastructure.cost.quantities import ASSUMED, MEASURED
from infrastructure.cost.read_path import deliveries
from infrastructure.cost.traffic import HOURS, NIGHTS, SECONDS, Traffic
from infrastructure.cost.usage import GB, Basis, Plan, Usage, Work, calls_of
from infrastructure.fields import LambdaEngine, SageMakerEngine
from training.capacity import MARGIN, MEGABYTES, Size
from training.capacity import SECONDS as STEP_SECONDS

LIST_NIGHTS: Final = 14
"""So many nights' versions of a list are kept: `refreshing.LIST_LIFETIME`."""
RECORD_OVERHEAD: Final = 100
"""What DynamoDB adds to each record that it stores."""
LAMBDA_PROCESSORS: Final = 1.7
"""Of a Lambda of 3 GB."""
INSTANCE_GB: Final[Mapping[str, int]] = {
    "ml.m5.large": 8,
    "ml.m5.xlarge": 16,
    "ml.m5.2xlarge": 32,
    "ml.m5.4xlarge": 64,
    "ml.m5.12xlarge": 192,
    "ml.m5.24xlarge": 384,
}
"""Memory by type: https://aws.amazon.com/sagemaker/pricing/"""
_TRANSITIONS: Final = 14
_QUIET_TRANSITIONS: Final = 6
_OUTCOME_SECONDS: Final = 31e-6
"""An event with a receipt, read and counted by the analysis: docs/decisions/0056."""
_ANALYZED_DAYS: Final = 8
_LISTED: Final = 1_000


def nights(plan: Plan) -> Iterator[Usage]:
    """Return what the slow loop and its lists use."""
    if plan.environment.training.nightly:
        engine = plan.environment.training.engine
        on = _on_lambda(plan) if isinstance(engine, LambdaEngine) else _on_sagemaker(plan, engine)
        yield from on
        yield from _objects(plan)
        yield from _lists(plan)
        yield from _analysis(plan)
    yield from _stored(plan)


def size_of(traffic: Traffic) -> Size:
    """Return the dataset that *prepare* makes of the history."""
    if not traffic.monthly_users:
        return Size(0, 0, 0)
    return Size(int(traffic.acts), int(traffic.profiles), traffic.items)


def step_seconds(traffic: Traffic) -> dict[str, float]:
    """Return processor seconds of a night by step; without anything to learn only *prepare* runs.

    *Prepare* begins with yesterday's snapshot, and folds one day's events; lists are made for active users.
    """
    whole = size_of(traffic)
    day = Size(int(traffic.events / NIGHTS), whole.users, whole.items)
    if not traffic.monthly_users:
        return {"prepare": STEP_SECONDS["prepare"].of(day)}
    ranked = Size(whole.events, int(traffic.lists), whole.items)
    sizes = {"prepare": day, "rank": ranked}
    seconds = {step: cost.of(sizes.get(step, whole)) for step, cost in STEP_SECONDS.items()}
    return seconds | {"publish": traffic.lists * MEASURED.publish_list_ms / 1_000}


def step_megabytes(traffic: Traffic, shards: int) -> dict[str, float]:
    """Return peak memory of a night by step."""
    whole = size_of(traffic)
    shard = Size(whole.events, whole.users // shards, whole.items)
    return {step: cost.of(shard if step == "rank" else whole) for step, cost in MEGABYTES.items()}


def instance_for(megabytes: float, at_least: str) -> str | None:
    """Return the smallest type of instance that holds so much, or None; none below the environment's own.

    >>> instance_for(20_000, "ml.m5.2xlarge"), instance_for(100_000, "ml.m5.2xlarge")
    ('ml.m5.2xlarge', 'ml.m5.12xlarge')
    """
    types = list(INSTANCE_GB)
    candidates = types[types.index(at_least) :] if at_least in types else types
    return next((name for name in candidates if INSTANCE_GB[name] * 1_000 >= megabytes * MARGIN), None)


def _on_lambda(plan: Plan) -> Iterator[Usage]:
    steps = step_seconds(plan.traffic)
    shards = plan.environment.training.ranking_shards
    calls = NIGHTS * (len(steps) + 3 + (shards - 1 if "rank" in steps else 0))
    work = Work(
        calls=calls,
        processor_ms=0.0,
        wait_ms=NIGHTS * sum(steps.values()) / LAMBDA_PROCESSORS / calls * 1_000,
        log_bytes=MEASURED.night_log_bytes * NIGHTS / calls,
        lines=5,
        start_ms=ASSUMED.ranking_start_ms,
    )
    yield from calls_of(plan, "run_training_step", work)
    states = (_TRANSITIONS + 3 * shards if "rank" in steps else _QUIET_TRANSITIONS) * NIGHTS
    yield Usage("Step Functions", "states of the nights", "workflow_transition", states, Basis.TEMPLATE)


def _on_sagemaker(plan: Plan, engine: SageMakerEngine) -> Iterator[Usage]:
    steps = step_seconds(plan.traffic)
    megabytes = step_megabytes(plan.traffic, plan.environment.training.ranking_shards)
    for step, seconds in steps.items():
        instances = engine.ranking_instances if step == "rank" else 1
        instances = engine.training_instances if step == "train" else instances
        fitting = instance_for(megabytes.get(step, 0.0), engine.instance_type) or max(
            INSTANCE_GB, key=INSTANCE_GB.__getitem__
        )
        hours = NIGHTS * (seconds / 3_600 + instances * ASSUMED.job_minutes / 60)
        share = ASSUMED.spot_share if step == "train" and engine.spot else 1.0
        price = f"instance_hour_{fitting}"
        yield Usage("SageMaker", f"{step} on {fitting}", price, hours, Basis.PARTLY, share)
        volumes = hours / HOURS * engine.volume_gb
        yield Usage("SageMaker", "volumes", "instance_volume_gb_month", volumes, Basis.PARTLY)
    states = (_TRANSITIONS if "rank" in steps else _QUIET_TRANSITIONS) * NIGHTS
    yield Usage("Step Functions", "states of the nights", "workflow_transition", states, Basis.TEMPLATE)
    small = Work(calls=NIGHTS * 4, processor_ms=1_000, wait_ms=500, start_ms=ASSUMED.ranking_start_ms)
    yield from calls_of(plan, "run_training_step", small)


def _objects(plan: Plan) -> Iterator[Usage]:
    shards = plan.environment.training.ranking_shards
    puts = MEASURED.night_puts + MEASURED.night_shard_puts * shards + MEASURED.night_lists
    listed = archive_batches(plan) / _LISTED * plan.traffic.history_months
    gets = MEASURED.night_gets + MEASURED.night_shard_gets * shards
    yield Usage("S3", "written by nights", "objects_put", puts * NIGHTS, Basis.MEASURED)
    yield Usage("S3", "lake listed by nights", "objects_put", listed * NIGHTS, Basis.MEASURED)
    read = gets * NIGHTS + archive_batches(plan)
    yield Usage("S3", "read by nights", "objects_get", read, Basis.MEASURED)


def _lists(plan: Plan) -> Iterator[Usage]:
    units = plan.traffic.lists * NIGHTS * MEASURED.list_write_units
    yield Usage("DynamoDB", "lists of the nights", "table_write_unit", units, Basis.MEASURED)


def _analysis(plan: Plan) -> Iterator[Usage]:
    """Return what the hourly analysis uses: it reads what is new, and lists eight days."""
    traffic = plan.traffic
    objects = archive_batches(plan) + deliveries(plan)
    seconds = HOURS * ASSUMED.analysis_seconds + _OUTCOME_SECONDS * (traffic.events + traffic.requests)
    work = Work(
        calls=HOURS,
        processor_ms=seconds / HOURS * 1_000,
        wait_ms=objects / HOURS * ASSUMED.object_ms / 16,
        log_bytes=500,
        lines=3,
        start_ms=ASSUMED.ranking_start_ms,
    )
    yield from calls_of(plan, "analyze_experiments", work)
    listed = HOURS * (objects * 24 * _ANALYZED_DAYS / HOURS / _LISTED + 2 * _ANALYZED_DAYS)
    yield Usage("S3", "lake listed by the analysis", "objects_put", listed, Basis.MEASURED)
    yield Usage("S3", "read by the analysis", "objects_get", objects, Basis.MEASURED)
    starts = HOURS + NIGHTS
    yield Usage("EventBridge", "starts by schedule", "schedule_invocation", starts, Basis.TEMPLATE)


def stored_bytes(traffic: Traffic) -> tuple[float, float]:
    """Return what the table holds: bytes of profiles, and of lists of all nights that are kept."""
    profiles = traffic.profiles * (MEASURED.profile_bytes + RECORD_OVERHEAD)
    lists = traffic.lists * LIST_NIGHTS * (MEASURED.list_bytes + RECORD_OVERHEAD)
    return profiles, lists


def _stored(plan: Plan) -> Iterator[Usage]:
    profiles, lists = stored_bytes(plan.traffic)
    lists = lists if plan.environment.training.nightly else 0.0
    yield Usage("DynamoDB", "profiles kept", "table_gb_month", profiles / GB, Basis.MEASURED)
    yield Usage("DynamoDB", "lists kept", "table_gb_month", lists / GB, Basis.MEASURED)
    if plan.inventory.point_in_time_recovery:
        both = (profiles + lists) / GB
        yield Usage("DynamoDB", "point-in-time recovery", "table_backup_gb_month", both, Basis.MEASURED)
    if plan.traffic.monthly_users and plan.environment.training.nightly:
        models = ASSUMED.models_kept * ASSUMED.model_bytes_an_item * plan.traffic.items / GB
        yield Usage("S3", "models kept", "objects_gb_month", models, Basis.ASSUMED)
    if plan.inventory.keys:
        written = archive_batches(plan) + deliveries(plan)
        asked = min(written, SECONDS) + SECONDS / 300 * 4
        yield Usage("KMS", "requests", "key_request", asked, Basis.ASSUMED)
