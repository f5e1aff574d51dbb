"""Assignment: like GrowthBook's SDKs, sticky, balanced."""

import json
from collections import Counter
from pathlib import Path

import pytest

from personalization.errors import InvalidInput
from personalization.experiments import (
    Experiment,
    Variant,
    assign,
    bucket,
    bucket_ranges,
    packaged_definitions,
    parse_definitions,
)

CASES = Path(__file__).parents[3] / "shared" / "data" / "growthbook" / "cases.json"
USERS = [f"user-{n}" for n in range(20_000)]


def experiment(coverage: float = 1.0) -> Experiment:
    variants = (Variant(name="control", weight=0.5), Variant(name="treatment", weight=0.5))
    return Experiment(name="test", surface="home", variants=variants, coverage=coverage)


@pytest.mark.skipif(not CASES.exists(), reason="GrowthBook's test vectors are not beside the project")
def test_hashes_equal_growthbooks() -> None:
    cases = [case for case in json.loads(CASES.read_bytes())["hash"] if case[2] == 2]
    assert len(cases) >= 5
    for seed, value, _, expected in cases:
        assert bucket(seed, value) == expected


@pytest.mark.skipif(not CASES.exists(), reason="GrowthBook's test vectors are not beside the project")
def test_bucket_ranges_equal_growthbooks_where_the_weights_are_valid() -> None:
    cases = json.loads(CASES.read_bytes())["getBucketRange"]
    valid = [case for case in cases if 0 <= case[1][1] <= 1 and sum(case[1][2] or [1]) == 1]
    assert len(valid) >= 5
    for _, (count, coverage, weights), expected in valid:
        ranges = bucket_ranges(coverage, weights or [1 / count] * count)
        if len(ranges) == len(expected):
            assert [pytest.approx(row) for row in expected] == [list(row) for row in ranges]


def test_variants_get_their_share_of_users() -> None:
    counts = Counter(variant.name for user in USERS if (variant := assign(experiment(), user)))
    assert counts["control"] == pytest.approx(10_000, abs=300)


def test_nobody_switches_when_coverage_grows() -> None:
    before = {user: assign(experiment(0.2), user) for user in USERS}
    after = {user: assign(experiment(0.7), user) for user in USERS}
    assert all(after[user] == variant for user, variant in before.items() if variant)
    assert sum(variant is not None for variant in before.values()) == pytest.approx(4_000, abs=250)


def test_users_outside_the_coverage_get_the_control_unassigned() -> None:
    definitions = parse_definitions(
        json.dumps(
            {
                "experiments": [
                    {
                        "name": "test",
                        "surface": "home",
                        "coverage": 0.0,
                        "variants": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5}],
                    }
                ]
            }
        ).encode()
    )
    treatment = definitions.treatment("ann", "home")
    assert treatment.variant.name == "a"
    assert treatment.assignments == ()


def test_the_two_shipped_variants_really_differ() -> None:
    (shipped,) = packaged_definitions().experiments
    assert len({variant.ranker for variant in shipped.variants}) == 2
    assert len({variant.label for variant in shipped.variants}) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"variants": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.4}]},
        {"variants": [{"name": "a", "weight": 0.5}, {"name": "a", "weight": 0.5}]},
        {"variants": [{"name": "a", "weight": 1.0}]},
        {"coverage": 1.5},
        {"surface": None},
    ],
)
def test_a_broken_definition_is_refused(change: dict[str, object]) -> None:
    good = {
        "name": "test",
        "surface": "home",
        "variants": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5}],
    }
    with pytest.raises(InvalidInput, match="invalid_experiments"):
        parse_definitions(json.dumps({"experiments": [good | change]}).encode())
