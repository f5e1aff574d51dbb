"""docs/scale.md, made of the model, the simulation and the quotas."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import ceil
from pathlib import Path
from typing import Final

from infrastructure.capacity.hot_keys import HOT_KEYS
from infrastructure.capacity.model import JOB_HOURS, Needs, binding, needs, reached_at, sized, uses
from infrastructure.capacity.quotas import Limit, own_limits, read_quotas
from infrastructure.capacity.simulation import BURST, BURST_MINUTES, simulate
from infrastructure.cost.inventory import Inventory
from infrastructure.cost.nights import INSTANCE_GB
from infrastructure.cost.traffic import MOST_USERS, Traffic
from infrastructure.cost.usage import Plan
from infrastructure.fields import Environment

PAGE: Final = Path(__file__).parents[2] / "docs" / "scale.md"
SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000, 200_000_000, 500_000_000)
TARGET_SECONDS: Final = 2.0
"""From a click to the list that it changed, of 95 in 100."""
UTILIZATION: Final = 0.6
"""Of the copies of `refresh_recommendations` that are planned for the daily peak."""
_INTRODUCTION: Final = """\
# Scale

Made by `python -m infrastructure.capacity` from the measured unit costs
(`infrastructure/cost/quantities.py`), the environment `{environment}` and the quotas of {quoted}
(`infrastructure/capacity/quotas.yaml`). Each user of a month does {events:g} events in {sessions:g}
visits and asks for {requests:g} lists on {surfaces} surfaces; the daily peak is {peak:g} times the mean;
{items:,} items; {months:g} months of history. Other shapes: `python -m infrastructure.capacity
--monthly-users N`, with the options of `infrastructure.cost`. None of it ran in a real account at these
sizes: the arithmetic is held against a simulation, and waiting for AWS is assumed. Metrics grow with
surfaces and experiments, not with users ([docs/metrics.md](metrics.md)).
"""


def render(inventory: Inventory, environment: Environment, traffic: Traffic) -> str:
    """Return the page. Cost: some hundred plans and one simulation a size, seconds."""
    plan = Plan(environment, inventory, traffic)
    quoted, limits = limits_of(environment)
    return "\n".join(
        [
            _introduction(plan, quoted),
            *_sizes(plan, limits),
            *_limits(plan, limits),
            *_simulations(plan),
            *_hot_keys(plan),
            *_quotas(limits),
        ]
    )


def limits_of(environment: Environment) -> tuple[date, Mapping[str, Limit]]:
    """Return AWS's quotas and the environment's own limits, and as of when the former are."""
    quoted, quotas = read_quotas()
    own = own_limits(environment, job_hours=JOB_HOURS, instance_gb=max(INSTANCE_GB.values()))
    return quoted, {**quotas, **own}


def planned_refreshing(plan: Plan) -> int:
    """Return the copies of `refresh_recommendations` that the peak needs, with room."""
    return max(plan.environment.refresh_concurrency, ceil(needs(plan).refreshing / UTILIZATION))


def row_of(plan: Plan, limits: Mapping[str, Limit]) -> Sequence[str]:
    """Return a size's row of the first table."""
    need = needs(plan)
    return [
        f"{plan.traffic.monthly_users:,}",
        figure(need.events),
        figure(need.requests),
        f"{need.shards:,}",
        figure(need.concurrency),
        f"{planned_refreshing(plan):,}",
        figure(need.writes),
        figure(need.reads),
        _gigabytes(need.table_gigabytes),
        _gigabytes(need.lake_gigabytes),
        _night(need),
        f"{need.ranking_instances:,}",
        _used_most(plan, {name: limit for name, limit in limits.items() if limit.name}),
        _used_most(plan, {name: limit for name, limit in limits.items() if not limit.name}),
    ]


COLUMNS: Final = (
    "monthly users",
    "events/s",
    "requests/s",
    "shards",
    "Lambdas at once",
    "refreshing at once",
    "write units/s",
    "read units/s",
    "table",
    "lake",
    "longest step of a night, one instance",
    "ranking instances",
    "AWS quota used most",
    "own limit used most",
)


def _introduction(plan: Plan, quoted: date) -> str:
    traffic = plan.traffic
    return _INTRODUCTION.format(
        environment=plan.environment.name,
        quoted=quoted,
        events=traffic.events_per_user,
        sessions=traffic.sessions_per_user,
        requests=traffic.requests_per_user,
        surfaces=traffic.surfaces,
        peak=traffic.peak_factor,
        items=traffic.items,
        months=traffic.history_months,
    )


def _sizes(plan: Plan, limits: Mapping[str, Limit]) -> Iterable[str]:
    at = sized(plan)
    yield "## By size\n"
    yield (
        "Rates are of the daily peak. The last columns name the limits of which the largest share is used;\n"
        "beyond 100% they have to be raised before this size.\n"
    )
    yield from table(COLUMNS, (row_of(at(users), limits) for users in SIZES))


def _limits(plan: Plan, limits: Mapping[str, Limit]) -> Iterable[str]:
    at = sized(plan)
    reached = {name: reached_at(name, at, limits[name]) for name in uses(plan)}
    order = sorted(reached, key=lambda name: reached[name] or MOST_USERS + 1)
    rows = (
        [
            limits[name].of,
            f"{limits[name].limit:,g} {limits[name].unit}",
            f"{_rounded(users):,}" if (users := reached[name]) else "never",
            limits[name].raised,
        ]
        for name in order
    )
    yield "\n## Limits, in the order in which they are met\n"
    yield from table(("of", "limit", "met at monthly users", "can be raised"), rows)
    yield ""
    yield _NIGHTS


_NIGHTS: Final = """\
What a night can't do on one instance has no field to raise: *prepare*, *train*, *evaluate* and *share*
hold the whole history's acts and all profiles, on one instance each (training alone may be given
several); *publish* writes lists from one process. Their costs are straight lines through 100,000 and
250,000 events (`training/capacity.py`), so figures beyond a few million users are extrapolated by far.
The fast loop and the read path have no such step: what they need more of is shards, copies and quotas.
"""


def _simulations(plan: Plan) -> Iterable[str]:
    at = sized(plan)
    first, last = BURST_MINUTES
    yield "## Simulated\n"
    yield (
        f"Ten minutes of the daily peak on one shard of those above, with {BURST:g} times as many posts\n"
        f"from minute {first} to {last}. Posts come by chance, batches as Lambda's mapping makes them, and\n"
        "the copies of the first table rebuild lists. Seconds from an event's arrival; the target is a\n"
        f"changed list within {TARGET_SECONDS:g} s at the daily peak. What a shard refuses, clients are\n"
        "told to send again.\n"
    )
    columns = (
        "monthly users",
        "profile written, p95",
        "list rebuilt, p95",
        "list rebuilt, p95 in the burst",
        "posts waiting as it ends",
        "as before after",
        "refused",
    )
    rows = []
    for users in SIZES:
        one = at(users)
        found = simulate(one, refreshing=planned_refreshing(one))
        rows.append(
            [
                f"{users:,}",
                f"{found.profile_p95:.1f} s",
                f"{found.list_p95:.1f} s",
                f"{found.burst_list_p95:.1f} s",
                f"{found.backlog:,}",
                f"{found.drained_after:.0f} s",
                f"{found.refused:.1%}",
            ]
        )
    yield from table(columns, rows)


def _hot_keys(plan: Plan) -> Iterable[str]:
    largest = sized(plan)(SIZES[-1])
    rows = (
        [
            hot.key,
            hot.touched,
            f"{figure(hot.use(largest))} of {hot.limit:,g} {hot.unit}",
        ]
        for hot in HOT_KEYS
    )
    yield "\n## Keys that many share\n"
    yield from table(("key", "touched by", f"at {SIZES[-1]:,} monthly users"), rows)
    yield ""
    yield _KEYS


_KEYS: Final = """\
- *A celebrity item* concentrates nowhere: events are partitioned by user, profiles are written by user,
  and nothing counts by item before the night. Its record is written when the catalogue changes, and the
  read path never looks at it.
- *A bot user* concentrates on one shard, whose 1,000 records a second it can fill alone: those who share
  the shard are then told `stream_busy`. Its profile is no bottleneck: a batch is one write, however many
  events it holds. Crawlers that say so are filtered by the reducer, so they cost the stream as others do;
  a rate rule in front of the API is what keeps one sender below a shard.
- *Items not available* are one record that each change writes whole: at 1,000 of them a write is 12
  units, so that 83 batches a second may change it; at the 10,000 that `DynamoCatalog` speaks of it is
  118, and 8 a second.
"""


def _quotas(limits: Mapping[str, Limit]) -> Iterable[str]:
    rows = (
        [limit.of, f"{limit.limit:,g} {limit.unit}", limit.raised, limit.source] for limit in limits.values()
    )
    yield "## Where the limits are from\n"
    yield from table(("of", "limit", "can be raised", "from"), rows)
    yield ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Write a table of Markdown, line by line."""
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def figure(value: float) -> str:
    """Write a figure in two or three digits.

    >>> [figure(value) for value in (0.034, 1.26, 12.4, 12_340.0)]
    ['0.034', '1.3', '12', '12,300']
    """
    if value >= 1_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _gigabytes(size: float) -> str:
    return f"{figure(size)} GB" if size < 1_000 else f"{figure(size / 1_000)} TB"


def _night(need: Needs) -> str:
    step = max(need.night_hours, key=lambda name: need.night_hours[name])
    largest = max(need.night_gigabytes, key=lambda name: need.night_gigabytes[name])
    hours, memory = need.night_hours[step], need.night_gigabytes[largest]
    return f"{step} {figure(hours)} h; {largest} {_gigabytes(memory)}"


def _used_most(plan: Plan, limits: Mapping[str, Limit]) -> str:
    name, share = binding(plan, limits)
    return f"{limits[name].of}, {limits[name].unit}: {figure(share * 100)}%"


def _rounded(users: int) -> int:
    """Round to two digits: the model is no finer.

    >>> _rounded(1_234_567)
    1200000
    """
    return int(float(f"{users:.2g}"))
