"""Definitions: what is refused, what a variant changes, and how several experiments combine."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.definitions import as_json, defaults_as_json, read_definitions
from personalization.builds import Build
from personalization.definitions import parse_definitions
from personalization.errors import InvalidInput
from personalization.experiments import Assignment, Definitions, Visitor
from personalization.keys import segment_names
from personalization.names import DEFAULT_LABEL, Ranker
from personalization.policies import Policy
from personalization.profiles import Facts, segment_of
from personalization.targeting import Targeting

NOW = datetime(2026, 11, 24, tzinfo=UTC)
USERS = [Visitor(f"user-{n}") for n in range(2_000)]


def experiment(name: str = "test", *, changes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    changes = {"ranker": "covisitation"} if changes is None else changes
    variants = [{"name": "control", "weight": 0.5}, {"name": "varied", "weight": 0.5, **changes}]
    return {"name": name, "surface": "home", "variants": variants} | fields


def defined(*experiments: dict[str, Any], **more: Any) -> Definitions:
    return parse_definitions(json.dumps({"experiments": experiments, **more}).encode())


def one_in(definitions: Definitions, *variants: str) -> Visitor:
    """Return a user who is in these variants, and in no other ones."""
    return next(
        user
        for user in USERS
        if [row.variant for row in definitions.treatment(user, "home", NOW).assignments] == list(variants)
    )


def test_who_takes_no_part_sees_what_the_control_sees_and_counts_for_nothing() -> None:
    definitions = defined(experiment(coverage=0.0), defaults={"home": {"label": "For you"}})
    treatment = definitions.treatment(USERS[0], "home", NOW)
    everybody = defined(experiment(), defaults={"home": {"label": "For you"}})
    control = everybody.treatment(one_in(everybody, "control"), "home", NOW)
    assert treatment.assignments == ()
    assert (treatment.build, treatment.label) == (control.build, control.label) == (Build(), "For you")


def test_a_variant_changes_what_it_names_and_leaves_the_rest_of_the_default() -> None:
    changes = {"sources_off": ["trending", "popular"], "model": "v7", "policy": {"exploration": 0.1}}
    definitions = defined(experiment(changes=changes), defaults={"home": {"ranker": "covisitation"}})
    treatment = definitions.treatment(one_in(definitions, "varied"), "home", NOW)
    assert treatment.build == Build(
        ranker=Ranker.COVISITATION,
        policy=Policy(exploration=0.1),
        sources_off=("popular", "trending"),
        model="v7",
    )
    assert treatment.label == DEFAULT_LABEL
    assert definitions.treatment(USERS[0], "product", NOW).build == Build()


def test_experiments_on_one_surface_combine_if_they_change_different_things() -> None:
    definitions = defined(
        experiment("ranking"), experiment("label", changes={"label": "Because you viewed {title}"})
    )
    both = definitions.treatment(one_in(definitions, "varied", "varied"), "home", NOW)
    assert both.assignments == (Assignment("ranking", "varied"), Assignment("label", "varied"))
    assert (both.build.ranker, both.label) == (Ranker.COVISITATION, "Because you viewed {title}")


def test_experiments_that_change_the_same_need_a_namespace_or_another_time() -> None:
    one, other = experiment("one"), experiment("other")
    with pytest.raises(InvalidInput, match="one and other, which both change ranker"):
        defined(one, other)
    rows = [{"id": "rows", "range": [0, 0.5]}, {"id": "rows", "range": [0.5, 1]}]
    exclusive = defined(one | {"namespace": rows[0]}, other | {"namespace": rows[1]})
    assert all(len(exclusive.treatment(user, "home", NOW).assignments) == 1 for user in USERS)
    defined(one | {"ends_at": "2026-12-01T00:00:00Z"}, other | {"starts_at": "2026-12-01T00:00:00Z"})
    defined(one, other | {"surface": "product"})


def test_an_experiment_is_in_force_from_its_start_to_before_its_end() -> None:
    definitions = defined(experiment(starts_at="2026-11-24T01:00:00+01:00", ends_at="2026-11-25T00:00:00Z"))
    day = timedelta(days=1)
    counts = [
        len(definitions.treatment(USERS[0], "home", at).assignments)
        for at in (NOW - timedelta(seconds=1), NOW, NOW + day - timedelta(seconds=1), NOW + day)
    ]
    assert counts == [0, 1, 1, 0]


def test_held_out_users_are_in_no_experiment() -> None:
    definitions = defined(experiment("one"), experiment("two", changes={}), holdout={"share": 0.1})
    alone = [user for user in USERS if not definitions.treatment(user, "home", NOW).assignments]
    assert len(alone) == pytest.approx(200, abs=50)
    assert all(definitions.builds(user, "home", NOW) == (Build(),) for user in alone)


@pytest.mark.parametrize(
    ("targeting", "inside", "outside"),
    [
        ({"countries": ["DE", "AT"]}, Facts("AT"), Facts("FR")),
        ({"devices": ["mobile"]}, Facts(device="mobile"), Facts()),
        ({"segments": ["country=DE,device=mobile"]}, Facts("DE", "mobile", "search"), Facts("DE")),
        ({"countries": ["DE"], "devices": ["tv"]}, Facts("DE", "tv"), Facts("DE", "mobile")),
    ],
)
def test_targeting_admits_whom_it_names(targeting: Any, inside: Facts, outside: Facts) -> None:
    definitions = defined(experiment(targeting=targeting))
    assert definitions.treatment(Visitor("ann", facts=inside), "home", NOW).assignments
    assert not definitions.treatment(Visitor("ann", facts=outside), "home", NOW).assignments


def test_forced_variants_are_shown_and_count_for_nothing() -> None:
    definitions = defined(experiment("ranking"), experiment("label", changes={"label": "Hello"}))
    user = one_in(definitions, "varied", "varied")
    forced = definitions.treatment(user, "home", NOW, forced=[Assignment("ranking", "control")])
    assert (forced.build, forced.label, forced.assignments) == (Build(), "Hello", ())


facts = st.builds(
    Facts, st.sampled_from([None, "DE", "FR"]), st.sampled_from([None, "mobile", "tv"]), st.none()
)


@given(facts, facts)
def test_a_targeted_segment_holds_whom_the_segment_lists_are_for(named: Facts, known: Facts) -> None:
    targeting = Targeting(segments=(segment_of(named),))
    targeting.check()
    assert targeting.admits(known) is (segment_of(named) in segment_names(known))


@given(facts, facts, st.sampled_from([None, "s1", "s2", "s3"]), st.sampled_from(USERS[:200]))
def test_whatever_a_request_asks_for_was_foreseen(
    known: Facts, asked: Facts, session: str | None, user: Visitor
) -> None:
    definitions = defined(
        experiment("target", targeting={"countries": ["DE"]}),
        experiment("session", unit="session", changes={"policy": {"diversity": 0.5}}),
        experiment("dark", changes={"sources_off": ["popular"]}, coverage=0.3),
    )
    request = Visitor(user.user_key, session, asked)
    build = definitions.treatment(request, "home", NOW).build
    before = definitions.builds(Visitor(user.user_key, session, known), "home", NOW, any_facts=True)
    night = definitions.builds(
        Visitor(user.user_key, facts=known), "home", NOW, any_session=True, any_facts=True
    )
    assert build in before
    assert set(before) <= set(night)
    assert len(before) <= 2


def test_the_shipped_definitions_differ_in_ranker_label_and_variety() -> None:
    (shipped,) = read_definitions().experiments
    both = {
        read_definitions().treatment(user, shipped.surface, NOW).assignments: read_definitions().treatment(
            user, shipped.surface, NOW
        )
        for user in USERS[:50]
    }
    covisitation, model = (both[(Assignment(shipped.name, v.name),)] for v in shipped.variants)
    assert (covisitation.build.ranker, model.build.ranker) == (Ranker.COVISITATION, Ranker.LIGHTGBM)
    assert model.build.policy.diversity > 0
    assert covisitation.label != model.label


def test_definitions_go_to_appconfig_and_come_back() -> None:
    written = read_definitions()
    assert parse_definitions(as_json(written).encode()) == written
    assert parse_definitions(defaults_as_json(written).encode()).defaults == written.defaults


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"variants": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.4}]}, "sum to 0.9, not to 1"),
        ({"variants": [{"name": "a", "weight": 0.5}, {"name": "a", "weight": 0.5}]}, "named twice: a"),
        ({"variants": [{"name": "a", "weight": 0.9}]}, "length >= 2"),
        (
            {"variants": [{"name": "a", "weight": 0.5, "label": "L"}, {"name": "b", "weight": 0.5}]},
            "a is the control of test, and changes label: make that the default of home",
        ),
        ({"coverage": 1.5}, "<= 1"),
        ({"surface": None}, "Expected `str`"),
        ({"name": "Home page"}, "matching regex"),
        ({"covrage": 0.5}, "unknown field `covrage`"),
        ({"starts_at": "2026-12-01T00:00:00"}, "with a timezone"),
        ({"starts_at": "2026-12-02T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"}, "ends before it starts"),
        ({"namespace": {"id": "rows", "range": [0.5, 0.5]}}, "is empty"),
        ({"targeting": {"segments": ["device=mobile,country=DE"]}}, "names no segment; one is"),
        ({"targeting": {"countries": [False]}}, "Expected `str`, got `bool`"),
        ({"goal": "happiness"}, "Invalid enum value 'happiness'"),
        ({"guardrails": [{"metric": "ctr", "margin": 0.1}]}, "named twice: ctr"),
        ({"changes": {"sources_off": ["tarot"]}}, "turns off tarot; sources are covisitation"),
        ({"changes": {"label": "For {name}"}}, "may have {title} in it"),
    ],
)
def test_a_broken_definition_is_refused_with_what_to_change(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        defined(experiment(**change))
    assert refused.value.code == "invalid_experiments"
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("experiments", "more", "reason"),
    [
        ([experiment("a"), experiment("a", surface="product")], {}, "experiments named twice: a"),
        ([], {"defaults": {"home": {"model": "v1"}}}, "can't name a model"),
        (
            [
                experiment("a", changes={"model": "v1"}),
                experiment("b", surface="product", changes={"model": "v2"}),
            ],
            {},
            "only one published model can be tried at a time, not v1, v2",
        ),
        (
            [
                experiment("a", namespace={"id": "n", "range": [0, 0.6]}),
                experiment("b", namespace={"id": "n", "range": [0.5, 1]}),
            ],
            {},
            "the ranges of a and b, of one namespace, overlap",
        ),
        (
            [
                experiment("a", namespace={"id": "n", "range": [0, 0.5]}),
                experiment("b", namespace={"id": "n", "range": [0.5, 1]}, unit="session"),
            ],
            {},
            "have different units",
        ),
    ],
)
def test_experiments_that_do_not_go_together_are_refused(
    experiments: list[dict[str, Any]], more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        defined(*experiments, **more)
    assert reason in refused.value.reason


def test_a_surface_with_too_many_kinds_of_lists_is_refused() -> None:
    fields = {"ranker": "covisitation", "sources_off": ["popular"], "model": "v1"}
    experiments = [
        experiment(name.replace("_", "-"), changes={name: value}) for name, value in fields.items()
    ]
    defined(*experiments)
    with pytest.raises(InvalidInput, match="ask for 16 different lists, of at most 12"):
        defined(*experiments, experiment("policy", changes={"policy": {"diversity": 0.5}}))


@pytest.mark.parametrize("text", [b"", b"[", b"\xff", b"null", b"[" * 100_000, b'{"experiments": 3}'])
def test_what_is_no_definition_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="invalid_experiments"):
        parse_definitions(text)
