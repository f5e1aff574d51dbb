"""Evaluates the part of CloudWatch metric math that works point by point.

Its expressions are Python's, but for `^`, `&&`, `||`, `AND` and `OR`, so Python's own parser reads them. What
looks along a series (`RATE`, `RUNNING_SUM`, `FILL(…, REPEAT)`), searches for metrics or learns bands is not
here.

Language: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Final

from infrastructure.local.errors import MetricMathError

Value = float | None
"""`None` is a missing data point."""

_SPELLINGS: Final = [(r"&&|\bAND\b", " and "), (r"\|\||\bOR\b", " or "), (r"\^", "**")]
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "ABS": lambda values: abs(values[0]),
    "CEIL": lambda values: math.ceil(values[0]),
    "FLOOR": lambda values: math.floor(values[0]),
    "SQRT": lambda values: math.sqrt(values[0]),
    "MIN": min,
    "MAX": max,
    "SUM": math.fsum,
    "AVG": fmean,
}


def evaluate(expression: str, points: Mapping[str, Value]) -> Value:
    """Return the value of `expression` at one time, or `None` where it has no data point there.

    Parameters
    ----------
    expression
        As in the alarm: `IF(m2 > 100, 100 * m1 / m2, 100)`.
    points
        Value by the id of every query the expression may name.

    Notes
    -----
    Whatever is computed from a missing data point is missing, but for `FILL`; a division by zero or a root of
    a negative number has no data point. True is 1, and every number but 0 is true.

    Raises
    ------
    MetricMathError
        The expression uses something that is not supported here; the message says what.

    Examples
    --------
    >>> evaluate("IF(FILL(shown, 0) > 10, 100 * clicked / shown)", {"clicked": 3, "shown": 12})
    25.0
    """
    try:
        return _value(_parse(expression), points)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    except RecursionError:
        raise MetricMathError(f"The local runner can't evaluate {expression[:80]!r}…: too deep.") from None


def names(expression: str) -> set[str]:
    """Return the ids of the queries that `expression` names.

    Raises
    ------
    MetricMathError
        It can't be read.
    """
    tree = _parse(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def _parse(expression: str) -> ast.expr:
    text = expression
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise MetricMathError(f"The local runner can't read the expression {expression!r}.") from error


def _value(node: ast.expr, points: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            result: Value = float(number)
        case ast.Name(id=name) if name in points:
            result = points[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = _combine(lambda values: -values[0], [operand], points)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            compute = _ARITHMETIC[type(sign)]
            result = _combine(lambda values: compute(*values), [left, right], points)
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
            compare = _COMPARISONS[type(sign)]
            result = _combine(lambda values: float(compare(*values)), [left, right], points)
        case ast.BoolOp(op=sign, values=operands):
            join = all if isinstance(sign, ast.And) else any
            result = _combine(lambda values: float(join(values)), operands, points)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            result = _call(name.upper(), arguments, points)
        case _:
            raise MetricMathError(f"The local runner can't evaluate {ast.unparse(node)!r} in metric math.")
    return result


def _call(name: str, arguments: list[ast.expr], points: Mapping[str, Value]) -> Value:
    match name, arguments:
        case "IF", [condition, then, *otherwise]:
            truth = _value(condition, points)
            if truth is None:
                return None
            branches = [then] if truth else otherwise
            return _value(branches[0], points) if branches else None
        case "FILL", [series, ast.Constant() as filler]:
            value = _value(series, points)
            return _value(filler, points) if value is None else value
        case _ if name in _FUNCTIONS and arguments:
            return _combine(_FUNCTIONS[name], arguments, points)
    raise MetricMathError(
        f"The local runner doesn't know {name} with {len(arguments)} arguments in metric math."
    )


def _combine(
    compute: Callable[[list[float]], float], operands: list[ast.expr], points: Mapping[str, Value]
) -> Value:
    values = [_value(operand, points) for operand in operands]
    present = [value for value in values if value is not None]
    return float(compute(present)) if len(present) == len(values) else None
