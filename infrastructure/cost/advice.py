"""What the same traffic would cost in other modes, and at what traffic one becomes the better."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from infrastructure.cost.bill import bill, price
from infrastructure.cost.fast_loop import fold_batches, shards_at_peak, stream
from infrastructure.cost.prices import PriceList
from infrastructure.cost.quantities import ASSUMED
from infrastructure.cost.traffic import HOURS, MOST_USERS
from infrastructure.cost.usage import Plan

_WRITES, _READS = "table_write_unit", "table_read_unit"
_STREAM_ROOM: Final = 1.3
"""Shards beyond the daily peak, for what comes in bursts."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A choice, what it costs as it is and otherwise, and where the two meet."""

    choice: str
    now: str
    now_dollars: float
    other: str
    other_dollars: float
    break_even: str

    @property
    def saves(self) -> float:
        """Dollars a month that the other saves; negative if it costs more."""
        return self.now_dollars - self.other_dollars


def alternatives(plan: Plan, prices: PriceList) -> Iterator[Alternative]:
    """Return the choices that depend on traffic."""
    yield _stream(plan, prices)
    yield _table(plan, prices)
    yield _architecture(plan, prices)
    yield _window(plan, prices)
    yield _fan_out(plan, prices)
    yield _tracing(plan, prices)


def _stream_dollars(plan: Plan, prices: PriceList) -> float:
    return sum(line.dollars for line in price(stream(plan), prices))


def provisioned_stream(plan: Plan) -> Plan:
    """Return the plan with as many provisioned shards as its daily peak needs."""
    shards = ceil(shards_at_peak(plan.traffic) * _STREAM_ROOM) if plan.traffic.events else 1
    return replace(plan, inventory=replace(plan.inventory, shards=shards))


def _stream(plan: Plan, prices: PriceList) -> Alternative:
    on_demand = replace(plan, inventory=replace(plan.inventory, shards=None))
    provisioned = provisioned_stream(plan)
    costs = {
        "on demand": _stream_dollars(on_demand, prices),
        f"{provisioned.inventory.shards} provisioned": _stream_dollars(provisioned, prices),
    }
    names = list(costs)
    now = names[0] if plan.inventory.shards is None else names[1]
    other = names[1] if now == names[0] else names[0]
    return Alternative("stream", now, costs[now], other, costs[other], _stream_break_even(plan, prices))


def _stream_break_even(plan: Plan, prices: PriceList) -> str:
    def difference(users: int) -> float:
        at = replace(plan, traffic=replace(plan.traffic, monthly_users=users))
        on_demand = replace(at, inventory=replace(at.inventory, shards=None))
        return _stream_dollars(on_demand, prices) - _stream_dollars(provisioned_stream(at), prices)

    users = first_crossing(difference)
    if users is None:
        return "provisioned costs less at any traffic" if difference(1) > 0 else "on demand costs less at any"
    return f"from {users:,} monthly users on provisioned costs {'more' if difference(1) > 0 else 'less'}"


def first_crossing(difference: Callable[[int], float]) -> int | None:
    """Return the smallest power-of-two bracket's root, where a difference first changes its sign.

    Cost: about 70 evaluations.
    """
    sign, low = difference(1) > 0, 1
    high = 2
    while high <= MOST_USERS and (difference(high) > 0) == sign:
        low, high = high, high * 2
    if high > MOST_USERS:
        return None
    while high - low > max(1, low // 1_000):
        middle = (low + high) // 2
        low, high = (middle, high) if (difference(middle) > 0) == sign else (low, middle)
    return high


def _table(plan: Plan, prices: PriceList) -> Alternative:
    used = dict.fromkeys((_WRITES, _READS), 0.0)
    dollars = 0.0
    for line in bill(plan, prices).lines:
        for name in used:
            if line.service == "DynamoDB" and line.unit == prices[name].unit:
                used[name] += line.amount
                dollars += line.dollars
    hourly = {
        _WRITES: prices["table_write_capacity_hour"].first,
        _READS: prices["table_read_capacity_hour"].first,
    }
    peak = plan.traffic.peak_factor / ASSUMED.utilization
    provisioned = sum(
        max(1.0, amount / HOURS / 3_600 * peak) * HOURS * hourly[name] for name, amount in used.items()
    )
    # Of a unit that is used every second of an hour.
    busy = hourly[_WRITES] / (prices[_WRITES].first * 3_600)
    even = f"provisioned costs less while the peak is below {ASSUMED.utilization / busy:.1f} times the mean"
    return Alternative("table", "on demand", dollars, "provisioned for the peak", provisioned, even)


def _architecture(plan: Plan, prices: PriceList) -> Alternative:
    arm = _of_architecture(plan, prices, arm64=True)
    intel = _of_architecture(plan, prices, arm64=False)
    now_arm = all(function.arm64 for function in plan.inventory.functions.values())
    names = ("arm64", arm, "x86_64", intel) if now_arm else ("x86_64", intel, "arm64", arm)
    even = f"x86_64 costs less if it takes less than {_ratio(prices):.0%} of arm64's time"
    return Alternative("architecture", *names, even)


def _ratio(prices: PriceList) -> float:
    return prices["lambda_gb_second_arm64"].first / prices["lambda_gb_second_x86_64"].first


def _of_architecture(plan: Plan, prices: PriceList, *, arm64: bool) -> float:
    functions = {name: replace(function, arm64=arm64) for name, function in plan.inventory.functions.items()}
    other = replace(plan, inventory=replace(plan.inventory, functions=functions))
    return bill(other, prices).by_service().get("Lambda", 0.0)


def _window(plan: Plan, prices: PriceList) -> Alternative:
    window = plan.environment.stream.profile_window_seconds
    longer = 5 if window < 5 else 1
    stream_fields = replace(plan.environment.stream, profile_window_seconds=longer)
    other = replace(plan, environment=replace(plan.environment, stream=stream_fields))
    calls, fewer = fold_batches(plan), fold_batches(other)
    share = f"{fewer / calls:.0%} of the calls" if calls else "no calls"
    even = f"{share}, {longer - window:+d} s until a click changes a list"
    now, then = (bill(each, prices).dollars for each in (plan, other))
    return Alternative("batch window", f"{window} s", now, f"{longer} s", then, even)


def _fan_out(plan: Plan, prices: PriceList) -> Alternative:
    readers = plan.inventory.fan_out_readers
    other = replace(plan, inventory=replace(plan.inventory, fan_out_readers=0 if readers else 1))
    names = ("on", "off") if readers else ("off", "on")
    now, then = (_stream_dollars(each, prices) for each in (plan, other))
    return Alternative("enhanced fan-out", names[0], now, names[1], then, "on: 70 ms to read instead of 1 s")


def _tracing(plan: Plan, prices: PriceList) -> Alternative:
    traced = any(function.traced for function in plan.inventory.functions.values())
    costs = {on: _of_tracing(plan, prices, traced=on) for on in (True, False)}
    names = {True: "on", False: "off"}
    even = "on: one call a second of each function, and 5% beyond"
    return Alternative("tracing", names[traced], costs[traced], names[not traced], costs[not traced], even)


def _of_tracing(plan: Plan, prices: PriceList, *, traced: bool) -> float:
    functions = {
        name: replace(function, traced=traced) for name, function in plan.inventory.functions.items()
    }
    other = replace(plan, inventory=replace(plan.inventory, functions=functions))
    return bill(other, prices).by_service().get("X-Ray", 0.0)
