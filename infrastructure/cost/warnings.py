"""What of a plan will not work as it is priced."""

from collections.abc import Iterator
from typing import Final

from infrastructure.cost.fast_loop import shards_at_peak
from infrastructure.cost.nights import INSTANCE_GB, instance_for, size_of, step_megabytes, step_seconds
from infrastructure.cost.usage import Plan
from infrastructure.fields import LambdaEngine
from training.capacity import Limits, excesses

_LAMBDA_SECONDS: Final = 900.0
_JOB_HOURS: Final = 4
"""The longest that a job may run, as `sagemaker_steps` has it."""


def warnings(plan: Plan, dollars: float) -> Iterator[str]:
    """Say what the environment can't do with this traffic, and what to change.

    Parameters
    ----------
    dollars
        What the month costs.
    """
    traffic, environment = plan.traffic, plan.environment
    requests = traffic.peak(traffic.requests + traffic.posts)
    if requests > environment.throttle.requests_per_second:
        through = environment.throttle.requests_per_second
        yield f"the peak is {requests:,.0f} requests a second, the stage takes {through:,}: raise `throttle`"
    needed = shards_at_peak(traffic)
    if plan.inventory.shards is not None and needed > plan.inventory.shards:
        yield f"the peak fills {needed:,} shards, there are {plan.inventory.shards:,}: raise `stream.shards`"
    budget = environment.limits.monthly_dollars
    if dollars > budget:
        yield f"the budget alarm rings at ${budget:,}: raise `limits.monthly_dollars`"
    if environment.training.nightly and traffic.monthly_users:
        yield from _nights(plan)


def _nights(plan: Plan) -> Iterator[str]:
    training = plan.environment.training
    engine = training.engine
    if isinstance(engine, LambdaEngine):
        limits = Limits(_LAMBDA_SECONDS, engine.memory_mb, engine.scratch_gb * 1_000)
        found = list(excesses(size_of(plan.traffic), limits, shard_count=training.ranking_shards))
        if found:
            yield f"engine lambda refuses this night ({found[0]}): choose `SageMakerEngine`"
        return
    megabytes = step_megabytes(plan.traffic, training.ranking_shards)
    for step, needed in megabytes.items():
        if instance_for(needed, "") is None:
            largest = max(INSTANCE_GB.values())
            yield f"{step} needs {needed / 1_000:,.0f} GB, the largest instance known has {largest}"
    instances = {"rank": engine.ranking_instances, "train": engine.training_instances}
    for step, seconds in step_seconds(plan.traffic).items():
        hours = seconds / 3_600 / instances.get(step, 1)
        if hours > _JOB_HOURS:
            more = "raise `ranking_instances`" if step == "rank" else "see docs/scale.md"
            yield f"{step} takes {hours:,.1f} hours a night, a job may take {_JOB_HOURS}: {more}"
