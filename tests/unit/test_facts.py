"""Groups of users of whom the same is known, and what it says about their segment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from personalization.keys import segment_facts, segment_names
from personalization.profiles import Facts, segment_of
from training.facts import MAX_LISTS, SUPPORT, Groups, segment_chances

GERMAN_PHONE = Facts("DE", "mobile")
GERMAN_DESK = Facts("DE", "desktop")


def names_of(groups: Groups) -> list[str]:
    return list(map(segment_of, groups.facts))


def groups_of_user(groups: Groups, user: int) -> set[str]:
    rows = groups.members[:, [user]].toarray().ravel()
    return {name for name, inside in zip(names_of(groups), rows, strict=True) if inside}


def groups_of(*crowds: tuple[Facts, int]) -> Groups:
    facts = [known for known, count in crowds for _ in range(count)]
    return Groups.of(facts, np.ones(len(facts), dtype=np.bool_))


def test_a_fact_needs_support_and_a_user_is_in_the_groups_of_all_that_is_known() -> None:
    groups = groups_of((GERMAN_PHONE, SUPPORT - 1), (Facts("DE"), 1), (Facts(), 500))
    assert names_of(groups) == ["country=DE"]
    groups = groups_of((Facts("DE", "mobile", "search"), SUPPORT))
    assert groups_of_user(groups, 0) == set(segment_names(Facts("DE", "mobile", "search"))[:-1])
    assert len(groups.facts) == 7


def test_a_group_of_too_few_users_is_known_by_its_facts_and_not_by_its_users() -> None:
    groups = groups_of((GERMAN_PHONE, SUPPORT - 1), (Facts("DE"), 1), (Facts(None, "mobile"), 1))
    assert names_of(groups) == ["country=DE", "device=mobile", "country=DE,device=mobile"]
    assert groups_of_user(groups, 0) == {"country=DE", "device=mobile"}


def test_users_without_acts_do_not_count_towards_the_support_but_have_their_groups() -> None:
    facts = [GERMAN_PHONE] * (SUPPORT + 1)
    counted = np.ones(len(facts), dtype=np.bool_)
    counted[:2] = False
    assert names_of(Groups.of(facts, counted)) == []
    counted[0] = True
    assert len(groups_of_user(Groups.of(facts, counted), 1)) == 3


def test_the_most_frequent_of_too_many_facts_are_kept() -> None:
    crowds = [(Facts(None, f"device-{number:04}"), SUPPORT) for number in range(MAX_LISTS + 9)]
    groups = groups_of((Facts(None, "zz"), SUPPORT + 1), *crowds)
    assert len(groups.facts) == MAX_LISTS
    assert names_of(groups)[0] == "device=zz"


def test_a_group_of_several_facts_is_never_kept_without_each_part_of_them() -> None:
    crowds = [(Facts(f"{number:02}", "aaa"), SUPPORT) for number in range(90)]
    crowds += [(Facts(f"{number:02}", "aaa", "search"), SUPPORT) for number in range(90, 300)]
    groups = groups_of(*crowds)
    assert len(groups.facts) == MAX_LISTS
    assert max(3 - part.count(None) for part in groups.facts) > 1
    assert all(part in groups.facts for facts in groups.facts for part in segment_facts(facts)[:-1])


def test_no_users_make_no_groups() -> None:
    groups = Groups.of([], np.zeros(0, dtype=np.bool_))
    assert groups.facts == ()
    assert segment_chances(groups, np.zeros(0, dtype=np.int64), 3).shape == (0, 3)


def test_the_chances_follow_the_counts_and_lean_to_everybody() -> None:
    groups = groups_of((GERMAN_PHONE, 60), (GERMAN_DESK, 940), (Facts("FR", "desktop"), 1000))
    segment = np.array([0] * 60 + [1] * 940 + [0] * 1000)
    chances = dict(zip(names_of(groups), segment_chances(groups, segment, 2)[:, 0].tolist(), strict=True))
    assert 0.06 < chances["country=DE"] < 0.08
    assert chances["country=FR"] > 0.98
    assert 0.8 < chances["country=DE,device=mobile"] < 0.95


facts = st.builds(
    Facts, *(st.sampled_from([None, *some]) for some in (("DE", "FR"), ("mobile", "tv"), ("ad", "search")))
)


@given(st.lists(st.tuples(facts, st.integers(-1, 3), st.integers(1, 80)), max_size=12))
def test_chances_are_distributions_whatever_is_known(crowds: list[tuple[Facts, int, int]]) -> None:
    known = [one for one, _, count in crowds for _ in range(count)]
    segment = np.array([label for _, label, count in crowds for _ in range(count)], dtype=np.int64)
    groups = Groups.of(known, segment >= 0)
    chances = segment_chances(groups, segment, 4)
    assert chances.shape == (len(groups.facts), 4)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert (chances > 0).all()
    assert all(len(groups_of_user(groups, user)) < 8 for user in range(min(len(known), 9)))
