import pytest

from infrastructure.local.errors import MetricMathError
from infrastructure.local.metric_math import evaluate, names


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("100 * clicked / shown", 25.0),
        ("IF(shown > 10, 100 * clicked / shown, 100)", 25.0),
        ("IF(shown > 20, 100 * clicked / shown, 100)", 100.0),
        ("IF(shown >= 12 AND clicked < 4, 1, 0)", 1.0),
        ("(shown < 12) || (clicked == 3)", 1.0),
        ("clicked ^ 2 - -1", 10.0),
        ("MAX(shown, clicked, 5) + ABS(clicked - shown)", 21.0),
        ("SQRT(shown + 4)", 4.0),
        ("FILL(absent, 0) + clicked", 3.0),
        ("FILL(clicked, 0)", 3.0),
    ],
)
def test_an_expression_has_the_value_that_cloudwatch_gives_it(expression: str, expected: float) -> None:
    assert evaluate(expression, {"clicked": 3.0, "shown": 12.0, "absent": None}) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "absent + 1",
        "IF(absent > 1, 1, 2)",
        "IF(zero, 1)",
        "1 / zero",
        "MAX(absent, 1)",
        "-absent",
        "SQRT(zero - 1)",
    ],
)
def test_what_follows_from_missing_data_or_a_division_by_zero_is_missing(expression: str) -> None:
    assert evaluate(expression, {"absent": None, "zero": 0.0}) is None


@pytest.mark.parametrize(
    "expression",
    [
        "RATE(m1)",
        "unknown + 1",
        "m1 +",
        "SEARCH('{Attune}', 'Sum')",
        "m1.real",
        "__import__('os')",
        "FILL(m1, REPEAT)",
    ],
)
def test_what_is_not_supported_is_refused_by_name(expression: str) -> None:
    with pytest.raises(MetricMathError, match="local runner"):
        evaluate(expression, {"m1": None})


def test_the_names_of_an_expression_are_its_queries_not_its_functions() -> None:
    assert names("IF(m2 > 5, m1 / m2, FILL(m3, 0))") == {"m1", "m2", "m3"}
