"""Settings as hyperparameters: text in and out, and nothing unknown or out of range."""

import pytest

from personalization.candidates import SOURCES
from personalization.recipe import Recipe
from training.search_space import SPACE
from training.settings import HyperparameterError, RankerParameters, Settings


def test_no_hyperparameters_are_the_defaults() -> None:
    assert Settings.of({}) == Settings() == Settings(recipe=Recipe(), ranker=RankerParameters(), seed=1)


def test_what_is_written_is_read_back() -> None:
    settings = Settings(
        recipe=Recipe(offered={**Recipe().offered, "content": 0}, damping=0.25, last_items=3),
        ranker=RankerParameters(num_leaves=15, learning_rate=0.1, trees=7),
        seed=5,
    )
    written = settings.hyperparameters()
    assert all(isinstance(value, str) for value in written.values())
    assert Settings.of(written) == settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("leaves", "7", "unknown hyperparameters: leaves; there are trees, num_leaves"),
        ("offered", "7", "unknown hyperparameters: offered"),
        ("offered.horoscope", "7", "unknown hyperparameters: offered.horoscope"),
        ("history_decay", "1.5", "history_decay is '1.5': Expected float <= 1.0"),
        ("damping", "nan", "damping is 'nan'"),
        ("lambda_l2", "inf", "lambda_l2 is 'inf'"),
        ("offered.content", "-3", "offered.content is '-3': Expected int >= 0"),
        ("pair_window", "1000000", "pair_window is '1000000': Expected int <= 100"),
        ("last_items", "2.5", "last_items is '2.5': Expected int"),
        ("num_leaves", "many", "num_leaves is 'many'"),
        ("seed", "-1", "seed is '-1': Expected int >= 0"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        Settings.of({name: value})
    assert message in str(caught.value)


def test_what_is_tuned_is_a_hyperparameter_whose_whole_range_is_allowed() -> None:
    for name, ends in SPACE.items():
        for value in (ends.low, ends.high):
            Settings.of({name: value})
    assert {f"offered.{source}" for source in SOURCES} < set(SPACE)


def test_the_defaults_lie_within_what_is_tuned() -> None:
    default = Settings().hyperparameters()
    for name, ends in SPACE.items():
        if name in default:
            assert ends.low <= float(default[name]) <= ends.high, name
