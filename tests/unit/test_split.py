"""Labels are new items, by time or leave-last-out, and nobody knows a label before its time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.acts import Acts
from training.split import (
    ENOUGH_USERS,
    MAX_LABELS,
    NEVER,
    NoLabelsError,
    Split,
    Stage,
    by_time,
    known_to,
    leave_last_out,
    split,
    stops_training,
)

DAY = 86_400


def acts(*rows: tuple[int, int, int]) -> Acts:
    """Acts from (user, item, at), in any order."""
    user, item, at = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    order = np.lexsort((at, user))
    return Acts(user[order], item[order], at[order], np.ones(len(order), dtype=np.float32))


def test_the_newest_new_item_is_tested_and_the_one_before_trained_on() -> None:
    split = leave_last_out(acts((0, 7, 1), (0, 8, 2), (0, 9, 3)), 1)
    assert split[Stage.TEST].item.tolist() == [9]
    assert split[Stage.TRAIN].item.tolist() == [8]


def test_a_long_history_teaches_a_fifth_of_itself_and_at_most_ten_items() -> None:
    for length, taught in ((3, 1), (10, 1), (11, 2), (21, 4), (200, 10)):
        split = leave_last_out(acts(*((0, item, item + 1) for item in range(length))), 1)
        labels = split[Stage.TRAIN].items[0]
        assert labels[labels >= 0].tolist() == list(range(length - 1 - taught, length - 1))
        assert split[Stage.TRAIN].cut.tolist() == [length - taught]


def test_labels_are_found_among_candidates() -> None:
    split = leave_last_out(acts(*((0, item, item + 1) for item in range(11)), (1, 5, 1), (1, 8, 2)), 2)
    found = split[Stage.TRAIN].among(np.array([0, 0, 0, 1]), np.array([8, 9, 10, 8]))
    assert found.tolist() == [True, True, False, False]


def test_coming_back_to_an_item_is_no_label() -> None:
    split = leave_last_out(acts((0, 7, 1), (0, 8, 2), (0, 7, 3)), 1)
    assert split[Stage.TEST].item.tolist() == [8]
    assert split[Stage.TEST].cut.tolist() == [2]


def test_a_user_without_an_earlier_item_has_no_label() -> None:
    split = leave_last_out(acts((0, 7, 1), (1, 7, 5), (1, 8, 5)), 3)
    assert split[Stage.TEST].item.tolist() == [-1, -1, -1]
    assert split[Stage.TEST].users.tolist() == []


def test_a_user_without_a_train_label_hides_the_test_label_from_training_too() -> None:
    log = acts((0, 7, 1), (0, 8, 2))
    split = leave_last_out(log, 1)
    assert split[Stage.TRAIN].item.tolist() == [-1]
    assert known_to(split[Stage.TRAIN], log).item.tolist() == [7]


def test_what_serves_knows_everything() -> None:
    log = acts((0, 7, 1), (0, 8, 2), (1, 3, 9))
    split = leave_last_out(log, 2)
    assert len(known_to(split[Stage.SERVE], log)) == 3
    assert (split[Stage.SERVE].cut == NEVER).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 20)), min_size=1, max_size=60))
def test_no_stage_knows_its_label_or_anything_that_arrived_with_or_after_it(
    rows: list[tuple[int, int, int]],
) -> None:
    log = acts(*rows)
    split = leave_last_out(log, 5)
    for stage in (Stage.TRAIN, Stage.TEST):
        known = known_to(split[stage], log)
        for user in split[stage].users:
            own = known.user == user
            labels = split[stage].items[user]
            assert not set(labels[labels >= 0].tolist()) & set(known.item[own].tolist())
            assert len(known.item[own]) > 0
            assert known.at[own].max() < split[stage].cut[user]
    assert (split[Stage.TRAIN].cut <= split[Stage.TEST].cut).all()


def test_by_time_all_users_share_two_cuts_at_midnight() -> None:
    log = acts((0, 1, 5), (0, 2, 8 * DAY), (0, 3, 9 * DAY + 7), (0, 4, 9 * DAY + 8), (1, 1, 9 * DAY))
    found = by_time(log, 2, days=1)
    assert found[Stage.TRAIN].cut.tolist() == [8 * DAY] * 2
    assert found[Stage.TEST].cut.tolist() == [9 * DAY] * 2
    assert found[Stage.TRAIN].item.tolist() == [2, -1]
    assert found[Stage.TEST].items.tolist() == [[3], [-1]]


def test_by_time_a_busy_user_teaches_so_many_items_and_no_more() -> None:
    new = [(0, item, 8 * DAY + item) for item in range(2, 30)]
    found = by_time(acts((0, 1, 5), *new, (0, 99, 9 * DAY)), 1, days=1)
    assert found[Stage.TRAIN].items.tolist() == [list(range(2, 2 + MAX_LABELS))]


logs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 20 * DAY)), min_size=1)


@given(logs, st.sampled_from([1, 2, 7]))
def test_by_time_no_stage_knows_a_label_and_every_label_is_new(
    rows: list[tuple[int, int, int]], days: int
) -> None:
    log = acts(*rows)
    found = by_time(log, 5, days=days)
    for stage in (Stage.TRAIN, Stage.TEST):
        known = known_to(found[stage], log)
        for user in found[stage].users.tolist():
            had = set(known.item[known.user == user].tolist())
            labels = [item for item in found[stage].items[user].tolist() if item >= 0]
            assert had
            assert not had & set(labels)
            assert len(set(labels)) == len(labels)
    assert (found[Stage.TRAIN].cut < found[Stage.TEST].cut).all()


def test_few_users_are_split_leave_last_out_unless_time_is_asked_for() -> None:
    log = acts((0, 1, 5), (0, 2, 8 * DAY), (0, 3, 9 * DAY))
    assert split(log, 1, Split.AUTO)[0] is Split.LAST
    how, found = split(log, 1, Split.TIME)
    assert (how, found[Stage.TEST].item.tolist()) == (Split.TIME, [3])
    with pytest.raises(NoLabelsError, match="leave-last-out"):
        split(acts((0, 1, 5), (0, 2, 6)), 1, Split.TIME)


def test_many_users_are_split_by_time_with_the_fewest_days_that_do() -> None:
    users = range(ENOUGH_USERS)
    days = [(user, item, day * DAY) for user in users for item, day in ((1, 0), (2, 90), (3, 93))]
    how, found = split(acts(*days), ENOUGH_USERS, Split.AUTO)
    assert how is Split.TIME
    assert found[Stage.TEST].cut[0] == 92 * DAY
    assert found[Stage.TRAIN].cut[0] == 90 * DAY


def test_a_user_tells_when_to_stop_or_is_evaluated_the_same_every_night() -> None:
    users = [f"user-{number}" for number in range(1_000)]
    stops = stops_training(users, np.arange(1_000))
    assert 100 < stops.sum() < 200
    assert stops_training(users[500:], np.arange(500)).tolist() == stops[500:].tolist()
