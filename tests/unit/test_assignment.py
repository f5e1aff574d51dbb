"""Assignment: like GrowthBook's SDKs, sticky, balanced, exclusive where it should be."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalization.assignment import bucket, bucket_ranges, choose, equal_weights, in_namespace
from personalization.experiments import Experiment, Namespace, Unit, Variant, Visitor, assign

CASES = Path(__file__).parents[3] / "shared" / "data" / "growthbook" / "cases.json"
USERS = [f"user-{n}" for n in range(20_000)]
NOW = datetime(2026, 11, 24, tzinfo=UTC)

growthbook = pytest.mark.skipif(not CASES.exists(), reason="GrowthBook's cases are not beside the project")


def cases(group: str) -> list[Any]:
    found: list[Any] = json.loads(CASES.read_bytes())[group]
    return found


def experiment(*weights: float, **fields: Any) -> Experiment:
    variants = tuple(Variant(name=f"v{n}", weight=w) for n, w in enumerate(weights or (0.5, 0.5)))
    return Experiment(**{"name": "test", "surface": "home", "variants": variants} | fields)


@growthbook
def test_hashes_equal_growthbooks() -> None:
    known = [case for case in cases("hash") if case[2] in (1, 2)]
    assert len(known) == 14
    assert [bucket(salt, unit, version) for salt, unit, version, _ in known] == [case[3] for case in known]


@growthbook
def test_bucket_ranges_equal_growthbooks() -> None:
    assert len(cases("getBucketRange")) == 13
    for name, (count, coverage, weights), expected in cases("getBucketRange"):
        ranges = bucket_ranges(count, coverage, tuple(weights or ()))
        assert list(map(list, ranges)) == [pytest.approx(row) for row in expected], name


@growthbook
def test_choices_equal_growthbooks() -> None:
    assert len(cases("chooseVariation")) == 13
    for name, place, ranges, expected in cases("chooseVariation"):
        chosen = choose(place, tuple(map(tuple, ranges)))
        assert chosen == (None if expected == -1 else expected), name


@growthbook
def test_equal_weights_equal_growthbooks() -> None:
    for count, expected in cases("getEqualWeights"):
        assert equal_weights(count) == pytest.approx(expected, abs=1e-8)


@growthbook
def test_namespaces_equal_growthbooks() -> None:
    assert len(cases("inNamespace")) == 16
    for name, unit, (namespace, start, end), expected in cases("inNamespace"):
        assert in_namespace(unit, namespace, (start, end)) is expected, name


ASSIGNED_BY = {
    "key",
    "variations",
    "weights",
    "coverage",
    "namespace",
    "seed",
    "hashVersion",
    "hashAttribute",
}
"""What of GrowthBook's experiments Attune's have too, under these or other names."""


@growthbook
def test_whole_experiments_assign_as_growthbooks() -> None:
    applicable = [
        (name, context, theirs, value)
        for name, context, theirs, value, _, _ in cases("run")
        if theirs.keys() <= ASSIGNED_BY and context.keys() <= {"attributes"} and len(theirs["variations"]) > 1
    ]
    assert len(applicable) == 49
    included = {name: hit for name, _, _, _, hit, _ in cases("run")}
    for name, context, theirs, value in applicable:
        unit = context.get("attributes", {}).get(theirs.get("hashAttribute", "id"))
        variant = assign(ours(theirs), Visitor(str(unit or "")))
        assert (variant is not None) is included[name], name
        assert variant is None or variant.name == f"v{theirs['variations'].index(value)}", name


def ours(theirs: dict[str, Any]) -> Experiment:
    namespace = theirs.get("namespace")
    return experiment(
        *theirs.get("weights", equal_weights(len(theirs["variations"]))),
        name=theirs["key"],
        coverage=theirs.get("coverage", 1.0),
        namespace=Namespace(id=namespace[0], range=(namespace[1], namespace[2])) if namespace else None,
        salt=theirs.get("seed"),
        hash_version=theirs.get("hashVersion", 1),
    )


def test_variants_get_their_share_of_users() -> None:
    counts = Counter(variant.name for user in USERS if (variant := assign(experiment(), Visitor(user))))
    assert counts["v0"] == pytest.approx(10_000, abs=300)


shares = st.lists(st.integers(1, 20), min_size=2, max_size=5).map(
    lambda parts: [part / sum(parts) for part in parts]
)


@given(shares, st.floats(0, 1), st.floats(0, 1), st.text("ab-_9", min_size=1), st.sampled_from(USERS))
def test_nobody_switches_when_coverage_grows(
    weights: list[float], one: float, other: float, salt: str, user: str
) -> None:
    less, more = sorted((one, other))
    before = assign(experiment(*weights, coverage=less, salt=salt), Visitor(user))
    after = assign(experiment(*weights, coverage=more, salt=salt), Visitor(user))
    assert before is None or after == before


@given(shares, st.text("ab-_9", min_size=1))
def test_at_full_coverage_nobody_is_left_out(weights: list[float], salt: str) -> None:
    full = experiment(*weights, salt=salt)
    assert all(assign(full, Visitor(user)) for user in USERS[:300])


@given(st.floats(0.01, 0.99), st.sampled_from(USERS))
def test_experiments_of_one_namespace_share_no_user(border: float, user: str) -> None:
    one = experiment(name="one", namespace=Namespace(id="rows", range=(0, border)))
    other = experiment(name="other", namespace=Namespace(id="rows", range=(border, 1)))
    assert (assign(one, Visitor(user)) is None) is not (assign(other, Visitor(user)) is None)


def test_salts_deal_users_out_independently() -> None:
    one, other = experiment(name="one"), experiment(name="other")
    pairs = Counter((assign(one, Visitor(user)), assign(other, Visitor(user))) for user in USERS)
    assert all(count == pytest.approx(5_000, abs=250) for count in pairs.values())


def test_an_experiments_holdout_stays_out_at_full_coverage() -> None:
    held = experiment(holdout=0.1)
    out = {user for user in USERS if assign(held, Visitor(user)) is None}
    assert len(out) == pytest.approx(2_000, abs=150)
    ramp = experiment(holdout=0.1, coverage=0.5)
    assert all(assign(ramp, Visitor(user)) is None for user in out)


def test_a_session_keeps_its_variant_and_the_next_one_draws_again() -> None:
    by_session = experiment(unit=Unit.SESSION)
    drawn = [assign(by_session, Visitor("ann", f"session-{n}")) for n in range(200)]
    assert {variant.name for variant in drawn if variant} == {"v0", "v1"}
    assert drawn == [assign(by_session, Visitor("bob", f"session-{n}")) for n in range(200)]
    assert assign(by_session, Visitor("ann")) is None
