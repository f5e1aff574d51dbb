"""Replayed profiles: those the live reducer would hold at each stage's cut, however the log is cut up."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, event
from personalization.errors import CorruptData
from personalization.events import Event
from personalization.ledger import SeenIds
from personalization.profile_encoding import encode
from personalization.profile_merging import merge
from personalization.profiles import Profile, apply, at_seconds
from training import snapshots
from training.dataset import load_dataset, make_dataset, save_dataset
from training.snapshots import StoredProfiles, replay
from training.split import NEVER, Labels, Stage

USERS = ("ann", "ben", "eve")
KINDS = ("click", "purchase", "rating", "dislike", "impression", "view")
ROWS = st.tuples(
    st.integers(0, len(USERS)), st.integers(0, 40), st.sampled_from(KINDS), st.integers(0, 25), st.booleans()
)


def log(rows: list[tuple[int, int, str, int, bool]]) -> list[Event]:
    """Events of three users and a stranger; ids repeat."""
    return [
        event(
            kind,
            f"sku-{minute % 7}",
            user_key=(*USERS, "stranger")[user],
            event_id=f"e{name}",
            occurred_at=NOW + timedelta(minutes=minute),
            bot=bot and minute % 5 == 0,
        )
        for user, minute, kind, name, bot in rows
    ]


def cut(*minutes: int) -> Labels:
    seconds = [at_seconds(NOW + timedelta(minutes=minute)) if minute >= 0 else NEVER for minute in minutes]
    return Labels(np.full((len(minutes), 1), -1), np.array(seconds, dtype=np.int64))


LABELS = {Stage.TRAIN: cut(10, -1, 0), Stage.TEST: cut(25, -1, 3), Stage.SERVE: cut(-1, -1, -1)}


def live(events: list[Event], user: int, label: Labels) -> bytes:
    """Fold one user's events without ever storing the profile."""
    profile, seen = Profile(), SeenIds()
    for one in events:
        fresh = one.user_key == USERS[user] and seen.add(one.event_id)
        if fresh and at_seconds(one.received_at) < label.cut[user]:
            apply(profile, one)
    return encode(profile)


@given(st.lists(ROWS, max_size=60), st.integers(1, 9))
def test_replayed_profiles_equal_live_ones_whatever_the_chunks(rows: list, chunk: int) -> None:
    events = log(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "CHUNK_EVENTS", chunk)
        replayed = replay(events, USERS, LABELS)
    for stage, label in LABELS.items():
        assert replayed[stage].encoded == [live(events, user, label) for user in range(len(USERS))]


@given(st.lists(ROWS, max_size=40), st.integers(1, 9))
def test_what_a_visitor_did_before_the_cut_is_in_the_replayed_profile_of_the_user(
    rows: list, chunk: int
) -> None:
    events = log(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "CHUNK_EVENTS", chunk)
        replayed = replay(events, USERS, LABELS, {"stranger": "middle", "middle": "eve"})
    eve = USERS.index("eve")
    both = replay(events, ("stranger", "eve"), {Stage.TEST: cut(3, 3)})[Stage.TEST]
    assert replayed[Stage.TEST].encoded[eve] == encode(merge(both[0], both[1]))
    assert replayed[Stage.SERVE].encoded[0] == live(events, 0, LABELS[Stage.SERVE])


def test_stages_that_know_the_same_hold_one_profile() -> None:
    replayed = replay([event("click", user_key="ben")], USERS, LABELS)
    assert replayed[Stage.TRAIN].encoded[1] is replayed[Stage.SERVE].encoded[1]
    assert replayed[Stage.TRAIN][1].revision == 1


def test_a_profile_is_decoded_only_when_it_is_taken() -> None:
    known = Profile(last_at=1)
    profiles = StoredProfiles([encode(known), b"damaged"])
    assert len(profiles) == 2
    assert profiles[0] == known == profiles.at([0])[0]
    assert list(profiles[:1]) == [known]
    with pytest.raises(CorruptData):
        profiles.at([1])[0]


def test_profiles_survive_the_disk(tmp_path: Path) -> None:
    events = [event("click", "a", user_key=user) for user in USERS]
    made = make_dataset(lambda: iter(events))
    save_dataset(made, tmp_path)
    loaded = load_dataset(tmp_path, [Stage.SERVE])
    assert list(loaded.profiles) == [Stage.SERVE]
    assert list(loaded.profiles[Stage.SERVE]) == list(made.profiles[Stage.SERVE])
