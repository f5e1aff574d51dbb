"""The model of capacity: what a size needs, where it meets a limit, and whether plans hold as simulated."""

from itertools import pairwise

import boto3
import numpy as np
import pytest
from moto import mock_aws

from cost_plans import plan
from factories import event
from infrastructure.capacity.hot_keys import HOT_KEYS, shard_loads, shard_of_key, unevenness
from infrastructure.capacity.model import binding, concurrency, needs, reached_at, sized, uses
from infrastructure.capacity.page import SIZES, TARGET_SECONDS, limits_of, planned_refreshing
from infrastructure.capacity.simulation import admitted, batched_in_turn, served, simulate
from infrastructure.cost.fast_loop import fold_batches
from infrastructure.cost.traffic import SECONDS
from infrastructure.environments import PROD
from personalization.events import upsert_item
from training.shop import Shop

_, LIMITS = limits_of(PROD)


def test_every_use_has_a_limit_and_every_quota_names_its_page() -> None:
    assert uses(plan(1_000_000)).keys() == LIMITS.keys()
    aws = [limit for name, limit in LIMITS.items() if limit.name]
    assert all(limit.source.startswith("https://docs.aws.amazon.com/") for limit in aws)


def test_more_users_need_more_of_everything() -> None:
    found = [needs(plan(users)) for users in SIZES]
    for name in ("events", "requests", "shards", "concurrency", "writes", "reads", "table_gigabytes"):
        amounts = [getattr(need, name) for need in found]
        assert amounts == sorted(amounts), name
    assert found[-1].ranking_instances > found[0].ranking_instances


def test_calls_at_once_are_rate_times_duration() -> None:
    of = plan(10_000_000, deliberate_share=0.0)
    per_second = of.traffic.requests / SECONDS * of.traffic.peak_factor
    answering = concurrency(of)["get_recommendations"]
    assert 0.002 < answering / per_second < 0.02
    assert concurrency(of)["refresh_recommendations"] == 0


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_limit_is_met_at_the_size_that_is_named_and_not_before(name: str) -> None:
    at = sized(plan(1))
    users = reached_at(name, at, LIMITS[name])
    if users is None:
        assert uses(at(8_000_000_000))[name] < LIMITS[name].limit
    else:
        assert uses(at(users))[name] >= LIMITS[name].limit > uses(at(int(users * 0.98)))[name]


def test_the_limit_that_binds_is_the_one_of_which_most_is_used() -> None:
    name, share = binding(plan(500_000_000), LIMITS)
    used = uses(plan(500_000_000))
    assert share == pytest.approx(max(used[limit] / LIMITS[limit].limit for limit in used))
    assert share == used[name] / LIMITS[name].limit > 1


@pytest.mark.parametrize("users", SIZES)
def test_the_plan_holds_its_target_at_the_daily_peak_and_recovers_from_a_burst(users: int) -> None:
    of = plan(users)
    found = simulate(of, refreshing=planned_refreshing(of))
    assert found.list_p95 < TARGET_SECONDS
    assert found.profile_p95 <= found.list_p95
    assert found.drained_after < 180


def test_too_few_copies_do_not_hold_it() -> None:
    of = plan(100_000_000)
    assert simulate(of, refreshing=needs(of).refreshing / 2).list_p95 > 5 * TARGET_SECONDS


def test_equal_seeds_play_alike() -> None:
    of = plan(1_000_000)
    assert simulate(of, refreshing=50, seed=3) == simulate(of, refreshing=50, seed=3)
    assert simulate(of, refreshing=50, seed=3) != simulate(of, refreshing=50, seed=4)


def test_waiting_for_one_copy_is_as_pollaczek_and_khinchine_have_it() -> None:
    chance = np.random.default_rng(2)
    queued = np.cumsum(chance.exponential(1.0, size=200_000))
    busy = 0.7
    waited = served(queued, busy, 1) - queued - busy
    assert waited.mean() == pytest.approx(busy * busy / (2 * (1 - busy)), rel=0.05)


def test_batches_go_when_full_or_when_their_window_is_over() -> None:
    seen = np.array([0.0, 0.1, 0.2, 5.0, 5.1])
    assert batched_in_turn(seen, 1.0, 3, lambda posts: 0.01 * posts).tolist() == pytest.approx(
        [0.23, 0.23, 0.23, 6.02, 6.02]
    )
    assert batched_in_turn(seen, 1.0, 500, lambda posts: 0.5).tolist() == pytest.approx([1.5] * 3 + [6.5] * 2)


def test_a_lane_makes_as_many_batches_as_the_bill_counts() -> None:
    of = plan(5_000_000)
    lanes = needs(of).shards * PROD.stream.profile_batches_per_shard
    rate = of.traffic.posts / SECONDS / lanes
    chance = np.random.default_rng(5)
    seen = np.cumsum(chance.exponential(1 / rate, size=20_000))
    made = len(np.unique(batched_in_turn(seen, 1.0, 500, lambda posts: 1e-6)))
    expected = fold_batches(of) / SECONDS / lanes * seen[-1]
    assert made == pytest.approx(expected, rel=0.02)


def test_a_shard_refuses_what_is_beyond_its_records_of_a_second() -> None:
    asked = np.concatenate([np.linspace(0, 0.99, 300), np.linspace(1, 1.99, 100)])
    taken, refused = admitted(asked, per_post=5.0)
    assert len(taken) == 300
    assert refused == pytest.approx(0.25)


def test_partition_keys_fall_on_the_shards_that_kinesis_has_for_them() -> None:
    with mock_aws():
        client = boto3.client("kinesis", region_name="us-east-1")
        client.create_stream(StreamName="s", ShardCount=8)
        for number in range(60):
            shard = client.put_record(StreamName="s", Data=b"", PartitionKey=f"user-{number}")["ShardId"]
            assert int(shard.rpartition("-")[2]) == shard_of_key(f"user-{number}", 8)


def test_a_celebrity_item_concentrates_on_no_shard() -> None:
    """Of 60,000 clicks a third are on one item; shards differ as little as chance has it."""
    chance = np.random.default_rng(1)
    items = np.minimum(chance.zipf(1.5, size=60_000), 50_000)
    users = chance.integers(20_000, size=60_000)
    clicks = [
        event("click", f"sku-{item}", user_key=f"u{user}") for item, user in zip(items, users, strict=True)
    ]
    assert (items == 1).mean() > 0.3
    by_user = shard_loads([click.partition_key for click in clicks], np.ones(len(clicks)), 16)
    by_item = shard_loads([f"item:{click.item_id}" for click in clicks], np.ones(len(clicks)), 16)
    assert unevenness(by_user) < 1.15
    assert unevenness(by_item) > 5


def test_a_bot_user_fills_one_shard_and_leaves_the_others_alone() -> None:
    keys = [f"user-{number}" for number in range(20_000)]
    people = shard_loads(keys, np.full(len(keys), 0.2), 8)
    both = shard_loads([*keys, "bot"], [*np.full(len(keys), 0.2), 1_000.0], 8)
    crowded = shard_of_key("bot", 8)
    assert (both - people)[crowded] == 1_000
    assert np.delete(both, crowded).tolist() == np.delete(people, crowded).tolist()
    assert both[crowded] > 1_000 > np.delete(both, crowded).max()


def test_items_of_the_catalogue_are_spread_by_their_ids() -> None:
    shop = Shop.open(seed=1, users=10, items=4_000)
    now = event().occurred_at
    keys = [upsert_item(item, event_id="e", received_at=now).partition_key for item in shop.catalogue()]
    assert all(key.startswith("item:") for key in keys)
    assert unevenness(shard_loads(keys, np.ones(len(keys)), 8)) < 1.2


@pytest.mark.parametrize("hot", HOT_KEYS, ids=lambda hot: hot.key)
def test_no_key_that_many_share_is_full_at_half_a_billion_users(hot) -> None:
    amounts = [hot.use(plan(users)) for users in (0, *SIZES)]
    assert all(before <= after for before, after in pairwise(amounts))
    assert amounts[-1] < hot.limit / 5
