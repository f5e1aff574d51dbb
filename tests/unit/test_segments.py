"""Segments of users: who is told apart, what they are called, and what is not told of anybody."""

from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, event
from personalization.events import EventType, Item
from personalization.profiles import CODES, KINDS, Profile, apply, at_seconds
from training.behaviour import CATEGORY, DAY_PARTS, OUTLIER, TOP_CATEGORIES, observe
from training.personas import personas
from training.segments import COUNTS, EVERYBODY, FEWEST_USERS, PICTURED_USERS, Segments, segment_users
from training.segments_report import COLOURS, segments_section

AT = at_seconds(NOW)
ITEMS = [
    Item(item_id=f"{category}-{number}", category=category, price=price)
    for category, price in (("Hair Care", 10.0), ("Tools", 80.0))
    for number in range(20)
]


def user(kind: str, category: str, *, acts: int, hour: float, days: float = 1) -> Profile:
    """A user who acted so often on items of a category, at this hour, the last time so many days ago."""
    profile = Profile()
    for number in range(acts):
        at = NOW.replace(hour=0) + timedelta(hours=hour, minutes=number) - timedelta(days=days + number % 3)
        apply(profile, event(kind, f"{category}-{number % 20}", occurred_at=at))
    return profile


def two_kinds(each: int = 60) -> list[Profile]:
    """Frequent evening buyers of hair care, and browsers of tools who come seldom, and in the morning."""
    chance = np.random.default_rng(0)
    rows = zip(
        chance.integers(10, 20, each), chance.integers(1, 6, each), chance.uniform(0, 4, each), strict=True
    )
    profiles = []
    for many, few, later in rows:
        profiles.append(user("purchase", "Hair Care", acts=int(many), hour=18.5 + later, days=1))
        profiles.append(user("view", "Tools", acts=int(few), hour=6.5 + later, days=9 + int(many)))
    return profiles


def test_users_of_two_kinds_make_two_segments_in_plain_words() -> None:
    found = segment_users(observe(two_kinds(), ITEMS, AT))
    buyer, browser = found.segment[:2].tolist()
    assert buyer != browser
    assert found.segment.tolist() == [buyer, browser] * 60
    names = {found.summary.segments[segment].name for segment in (buyer, browser)}
    assert names == {"frequent buyers of Hair Care, evenings", "lapsed browsers of Tools, mornings"}


def test_a_summary_adds_up_and_says_how_well_it_tells_apart() -> None:
    summary = segment_users(observe(two_kinds(), ITEMS, AT)).summary
    assert summary.users == 120 == sum(one.users for one in summary.segments)
    assert sum(one.share for one in summary.segments) == pytest.approx(1)
    assert [one.users for one in summary.segments] == sorted(one.users for one in summary.segments)[::-1]
    assert summary.silhouette[2] == max(summary.silhouette.values())
    assert summary.agreement == 1.0
    assert len(summary.points) == 120
    assert 0.5 < sum(summary.explained) <= 1.0


def test_equal_input_and_seed_give_equal_bytes() -> None:
    one, again = (segment_users(observe(two_kinds(), ITEMS, AT), seed=4) for _ in range(2))
    assert msgspec.json.encode(one.summary) == msgspec.json.encode(again.summary)
    assert one.segment.tobytes() == again.segment.tobytes()


def test_a_summary_survives_the_report() -> None:
    summary = segment_users(observe(two_kinds(), ITEMS, AT)).summary
    stored = msgspec.json.encode(msgspec.to_builtins(summary, str_keys=True))
    assert msgspec.json.decode(stored, type=Segments, strict=False) == summary


def test_few_users_are_one_segment_and_it_says_so() -> None:
    found = segment_users(observe(two_kinds(FEWEST_USERS // 2 - 1), ITEMS, AT))
    assert [one.name for one in found.summary.segments] == [EVERYBODY]
    assert "fewer than 50" in found.summary.note
    assert set(found.segment.tolist()) == {0}


def test_users_who_behave_alike_are_one_segment_and_it_says_so() -> None:
    found = segment_users(observe([user("view", "Tools", acts=3, hour=9)] * 80, ITEMS, AT))
    assert [one.users for one in found.summary.segments] == [80]
    assert "alike" in found.summary.note


def test_no_users_and_users_without_acts_have_no_segment() -> None:
    assert segment_users(observe([], ITEMS, AT)).summary.users == 0
    shown = Profile()
    apply(shown, event("impression", item_ids=("Tools-1",)))
    found = segment_users(observe([shown, *two_kinds(), Profile()], [], AT))
    assert found.segment[[0, -1]].tolist() == [-1, -1]
    assert (found.segment[1:-1] >= 0).all()


def test_one_user_with_absurd_counts_is_no_segment_of_their_own() -> None:
    absurd = user("purchase", "Hair Care", acts=12, hour=20)
    absurd.totals = [2**40] * len(KINDS)
    found = segment_users(observe([*two_kinds(), absurd], ITEMS, AT))
    buyer, browser = found.segment[:2].tolist()
    assert found.segment.tolist() == [*[buyer, browser] * 60, buyer]
    assert sorted(one.users for one in found.summary.segments) == [60, 61]


def test_a_catalogue_of_one_category_is_no_matter_of_taste() -> None:
    items = [
        Item(item_id=f"{place}-{number}", category="All") for place in ("Tools",) for number in range(20)
    ]
    profiles = [user("view", "Tools", acts=1 + number % 9, hour=number % 24) for number in range(90)]
    names = observe(profiles, items, AT).compare().names
    assert not [name for name in names if name.startswith(CATEGORY)]
    assert segment_users(observe(profiles, items, AT)).summary.users == 90


@st.composite
def crowds(draw: st.DrawFn) -> list[Profile]:
    """Profiles of any size, some hostile: clocks in the future, unknown items, no acts."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    profiles = []
    for _ in range(draw(st.integers(0, 70))):
        profile = Profile()
        profile.totals = chance.integers(0, 2 ** int(chance.integers(1, 40)), size=len(KINDS)).tolist()
        profile.first_at, profile.last_at = sorted(chance.integers(0, 2**32, size=2).tolist())
        for place in chance.integers(0, 60, size=chance.integers(0, 5)).tolist():
            category = ("Tools", "Hair Care", "gone")[place % 3]
            profile.recent[f"{category}-{place % 20}"] = (profile.last_at, CODES[EventType.VIEW], 0)
        profiles.append(profile)
    return profiles


@given(crowds())
@settings(max_examples=25, deadline=None)
def test_everybody_with_an_act_is_in_one_of_at_most_eight_segments(profiles: list[Profile]) -> None:
    found = segment_users(observe(profiles, ITEMS, AT))
    active = np.array([bool(profile.recent) for profile in profiles], dtype=np.bool_)
    assert ((found.segment >= 0) == active).all()
    sizes = [one.users for one in found.summary.segments]
    assert np.bincount(found.segment[active], minlength=len(sizes)).tolist() == sizes
    assert len(sizes) <= max(COUNTS)
    assert len({one.name for one in found.summary.segments}) == len(sizes)
    assert len(found.summary.points) <= PICTURED_USERS


@given(crowds())
@settings(max_examples=25, deadline=None)
def test_features_are_standardised_and_cut(profiles: list[Profile]) -> None:
    values = observe(profiles, ITEMS, AT).compare().values
    assert np.isfinite(values).all()
    assert np.abs(values).max(initial=0) <= OUTLIER


def test_only_the_categories_that_most_users_came_to_are_told() -> None:
    items = [Item(item_id=f"c{number}-0", category=f"c{number}") for number in range(30)]
    profiles = [
        user("view", f"c{number % (1 + place)}", acts=1, hour=9) for place in range(30) for number in (0, 1)
    ]
    for profile in profiles:
        assert profile.recent
    told = [name for name in observe(profiles, items, AT).compare().names if name.startswith(CATEGORY)]
    assert f"{CATEGORY}c0" in told
    assert len(told) <= TOP_CATEGORIES


def test_recency_and_part_of_the_day_are_read_from_the_profile() -> None:
    late, early = user("view", "Tools", acts=2, hour=23), user("view", "Tools", acts=2, hour=1, days=20)
    found = observe([late, early] * 60, ITEMS, AT).compare()
    row = dict(zip(found.names, found.values[0].tolist(), strict=True))
    assert [row["evenings"], row["nights"], row["recency"]] == pytest.approx([1.0, -1.0, -1.0])
    assert at_seconds(NOW) > late.last_at > early.last_at


@given(
    st.lists(st.lists(st.floats(-3, 3), min_size=6, max_size=6), min_size=1, max_size=8),
    st.text(max_size=60),
)
def test_names_are_unique_and_repeatable(rows: list[list[float]], category: str) -> None:
    names = ("recency", "active days", "purchases", "browsing", DAY_PARTS[3], f"{CATEGORY}{category}")
    told = personas(names, np.array(rows))
    assert told == personas(names, np.array(rows))
    assert len({name for name, _ in told}) == len(rows)
    assert all("\n" not in text for pair in told for text in pair)


def test_equal_segments_are_told_apart_by_number() -> None:
    assert [name for name, _ in personas(("browsing",), np.zeros((3, 1)))] == [
        "visitors",
        "visitors (2)",
        "visitors (3)",
    ]


class Tags(HTMLParser):
    """Collects tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_section_shows_every_persona_and_a_dot_a_user() -> None:
    summary = segment_users(observe(two_kinds(), ITEMS, AT)).summary
    page = Tags()
    page.feed(segments_section(summary))
    assert all(one.name in page.words for one in summary.segments)
    assert page.tags.count("circle") == len(summary.points) + len(summary.segments)
    assert segments_section(summary) == segments_section(summary)


def test_a_categorys_name_is_only_ever_text_in_the_section() -> None:
    hostile = "<script>alert(1)</script>"
    items = [
        msgspec.structs.replace(item, category=hostile) if "Tools" in item.item_id else item for item in ITEMS
    ]
    page = Tags()
    page.feed(segments_section(segment_users(observe(two_kinds(), items, AT)).summary))
    assert "script" not in page.tags
    assert hostile in page.words


def test_a_section_of_one_segment_says_why() -> None:
    assert "fewer than 50" in segments_section(segment_users(observe([], [], AT)).summary)


def test_there_is_a_colour_for_every_segment() -> None:
    assert len(set(COLOURS)) >= max(COUNTS)
