"""Leave-last-out: labels are new items, and nobody knows a label before its time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.acts import Acts
from training.split import NEVER, Stage, known_to, leave_last_out


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
