"""The preflight of engine `lambda`: what fits, what does not, and by what."""

import pytest

from training.capacity import (
    MARGIN,
    MEGABYTES,
    SECONDS,
    Limits,
    Size,
    UnitCost,
    excesses,
    lake_excesses,
)

LAMBDA = Limits(seconds=900, memory_mb=3008, scratch_mb=4000)


def reasons(size: Size, limits: Limits = LAMBDA, shards: int = 4) -> list[str]:
    return list(excesses(size, limits, shard_count=shards))


def test_a_small_shop_fits() -> None:
    assert reasons(Size(events=250_000, users=25_000, items=20_000)) == []


def test_a_large_one_is_refused_step_by_step() -> None:
    found = reasons(Size(events=50_000_000, users=5_000_000, items=500_000))
    assert {reason.split()[0] for reason in found} == {
        "prepare",
        "train",
        "evaluate",
        "share",
        "rank",
        "publish",
    }
    assert any("MB of scratch" in reason for reason in found)


def test_more_shards_make_room_for_more_users_to_rank() -> None:
    size = Size(events=1_000_000, users=400_000, items=20_000)
    assert any(reason.startswith("rank needs") for reason in reasons(size, shards=1))
    assert not any(reason.startswith("rank needs") for reason in reasons(size, shards=32))


def test_lists_that_one_lambda_can_not_write_are_refused_before_they_are_ranked() -> None:
    found = reasons(Size(events=1_000_000, users=600_000, items=20_000), shards=32)
    assert any(reason.startswith("publish needs") for reason in found)


def test_a_sample_costs_no_more_for_more_users() -> None:
    cost = UnitCost(1, 0, 2, 0, most_users=1_000)
    assert cost.of(Size(0, 1_000, 0)) == cost.of(Size(0, 10**9, 0)) == 3


def test_the_margin_is_part_of_what_is_told() -> None:
    size = Size(events=0, users=0, items=0)
    needed = SECONDS["train"].of(size) * MARGIN
    assert reasons(size, Limits(needed, 10**6, 10**6)) == []
    (first, *_) = reasons(size, Limits(needed - 0.1, 10**6, 10**6))
    assert first.startswith("train needs about 0.2 minutes")


def test_the_lake_alone_may_be_too_large() -> None:
    assert list(lake_excesses(20_000_000, LAMBDA)) == []
    found = list(lake_excesses(5_000_000_000, LAMBDA))
    assert [reason.split(" about")[0] for reason in found] == ["prepare needs"] * 3


@pytest.mark.parametrize(
    ("step", "size", "seconds", "megabytes"),
    [
        ("prepare", Size(100_000, 10_000, 20_000), 3.6, 109),
        ("prepare", Size(250_000, 25_000, 20_000), 9.6, 183),
        ("train", Size(100_000, 10_000, 20_000), 43.7, 480),
        ("train", Size(250_000, 25_000, 20_000), 86.1, 814),
        ("evaluate", Size(100_000, 10_000, 20_000), 28.9, 475),
        ("evaluate", Size(250_000, 25_000, 20_000), 56.9, 514),
        ("share", Size(100_000, 10_000, 20_000), 9.1, 267),
        ("share", Size(250_000, 25_000, 20_000), 8.9, 286),
        ("rank", Size(100_000, 10_000, 20_000), 20.8, 292),
        ("rank", Size(250_000, 25_000, 20_000), 41.8, 308),
    ],
)
def test_no_measurement_is_above_its_estimate(
    step: str, size: Size, seconds: float, megabytes: float
) -> None:
    assert seconds <= SECONDS[step].of(size)
    assert megabytes <= MEGABYTES[step].of(size)
