"""Groups of users of whom the same is known, and what it says about their segment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from personalization.keys import segment_names
from training.behaviour import Facts
from training.facts import MAX_LISTS, SUPPORT, Groups, backing, segment_chances

GERMAN_PHONE: Facts = ("DE", "mobile")


def groups_of(*crowds: tuple[Facts, int]) -> Groups:
    facts = [known for known, count in crowds for _ in range(count)]
    return Groups.of(facts, np.ones(len(facts), dtype=np.bool_))


def test_a_group_needs_support_and_a_user_is_in_the_groups_of_all_that_is_known() -> None:
    groups = groups_of((GERMAN_PHONE, SUPPORT - 1), (("DE", None), 1), ((None, None), 500))
    assert groups.names == ("country=DE,device=any",)
    groups = groups_of((GERMAN_PHONE, SUPPORT))
    assert [groups.names[place] for place in groups.place[0]] == segment_names(*GERMAN_PHONE)[:3]


def test_users_without_acts_do_not_count_towards_the_support_but_have_their_groups() -> None:
    facts: list[Facts] = [GERMAN_PHONE] * (SUPPORT + 1)
    counted = np.ones(len(facts), dtype=np.bool_)
    counted[:2] = False
    assert Groups.of(facts, counted).names == ()
    counted[0] = True
    assert (Groups.of(facts, counted).place[1] >= 0).all()


def test_the_most_frequent_of_too_many_facts_are_kept() -> None:
    crowds: list[tuple[Facts, int]] = [
        ((None, f"device-{number:04}"), SUPPORT) for number in range(MAX_LISTS + 9)
    ]
    groups = groups_of(((None, "zz"), SUPPORT + 1), *crowds)
    assert len(groups.names) == MAX_LISTS
    assert "country=any,device=zz" in groups.names


def test_no_users_make_no_groups() -> None:
    groups = Groups.of([], np.zeros(0, dtype=np.bool_))
    assert groups.names == ()
    assert segment_chances(groups, np.zeros(0, dtype=np.int64), 3).shape == (0, 3)


def test_country_and_device_back_off_to_the_country_else_to_the_device() -> None:
    groups = groups_of((GERMAN_PHONE, SUPPORT))
    lone = backing(groups)
    names = {
        name: groups.names[lone[place]] if lone[place] >= 0 else None
        for place, name in enumerate(groups.names)
    }
    assert names["country=DE,device=mobile"] == "country=DE,device=any"
    assert names["country=DE,device=any"] is None is names["country=any,device=mobile"]


def test_the_chances_follow_the_counts_and_lean_to_the_coarser_group() -> None:
    groups = groups_of((GERMAN_PHONE, 60), (("DE", "desktop"), 940), (("FR", "desktop"), 1000))
    segment = np.array([0] * 60 + [1] * 940 + [0] * 1000)
    chances = dict(zip(groups.names, segment_chances(groups, segment, 2)[:, 0].tolist(), strict=True))
    assert 0.06 < chances["country=DE,device=any"] < 0.08
    assert chances["country=FR,device=any"] > 0.98
    assert 0.7 < chances["country=DE,device=mobile"] < 0.8


facts = st.tuples(st.sampled_from([None, "DE", "FR"]), st.sampled_from([None, "mobile", "desktop"]))


@given(st.lists(st.tuples(facts, st.integers(-1, 3), st.integers(1, 80)), max_size=12))
def test_chances_are_distributions_whatever_is_known(crowds: list[tuple[Facts, int, int]]) -> None:
    known = [one for one, _, count in crowds for _ in range(count)]
    segment = np.array([label for _, label, count in crowds for _ in range(count)], dtype=np.int64)
    groups = Groups.of(known, segment >= 0)
    chances = segment_chances(groups, segment, 4)
    assert chances.shape == (len(groups.names), 4)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert (chances > 0).all()
    assert groups.members.sum() == (groups.place >= 0).sum()
