"""Runs Athena's SQL over the lake's objects in DuckDB: tables by their columns, the dialect by SQLGlot."""

import math
import re
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from infrastructure.lake_schema import EVENTS, EXPOSURES, RESULTS, Columns
from personalization import keys

TABLES: dict[str, tuple[str, Columns]] = {
    "events": (keys.EVENTS, EVENTS),
    "exposures": (keys.EXPOSURES, EXPOSURES),
    "experiment_results": (f"{keys.EXPERIMENTS}results/", RESULTS),
}


class DuckLake:
    """The tables of the lake over files below `root`, and a day that the queries take for today."""

    def __init__(self, root: Path, *, today: date) -> None:
        self._today = today
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.create_function("normal_cdf", _normal_cdf, ["DOUBLE"] * 3, "DOUBLE")
        for name, (prefix, columns) in TABLES.items():
            types = {column: _duck_type(kind) for column, kind in columns.items()}
            rows = self._connection.read_json(
                f"{root}/{prefix}*/*",
                columns=types,
                format="newline_delimited",
                filename=True,
                ignore_errors=True,
            )
            rows.project("*, regexp_extract(filename, 'date=([0-9-]+)/', 1) AS day").create(name)

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query in Athena's dialect, by column."""
        found = self._connection.execute(to_duckdb(sql, today=self._today))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def to_duckdb(sql: str, *, today: date) -> str:
    """Translate, with `today` for the current date, and rows unnested as DuckDB does it."""
    tree = sqlglot.parse_one(sql, dialect="athena", error_level=sqlglot.ErrorLevel.RAISE)
    for change in (partial(_with_date, today=today), _in_utc, _unnested_rows):
        tree = tree.transform(change)
    return tree.sql(dialect="duckdb")


def _with_date(node: exp.Expression, today: date) -> exp.Expression:
    return (
        exp.cast(exp.Literal.string(today.isoformat()), "date") if isinstance(node, exp.CurrentDate) else node
    )


def _in_utc(node: exp.Expression) -> exp.Expression:
    """All times of the lake are in UTC: DuckDB needs an extension for others."""
    return exp.cast(node.this, "timestamp") if isinstance(node, exp.FromISO8601Timestamp) else node


def _unnested_rows(node: exp.Expression) -> exp.Expression:
    """Trino unnests an array of rows to a column for each field, in order; DuckDB to one struct."""
    if not isinstance(node, exp.Unnest) or len(node.alias_column_names) < 2:
        return node
    (column,) = node.expressions
    fields = _fields_of(column.name)
    unnested = exp.select(exp.func("unnest", column.copy()).as_("row")).subquery("unnested")
    pairs = zip(fields, node.alias_column_names, strict=True)
    chosen = [exp.Dot.build([exp.column("row"), exp.to_identifier(name)]).as_(alias) for name, alias in pairs]
    return exp.Lateral(this=exp.select(*chosen).from_(unnested).subquery(), alias=node.args["alias"].this)


def _fields_of(column: str) -> list[str]:
    (kind,) = [columns[column] for _, columns in TABLES.values() if column in columns]
    return [name for name, _ in _struct_fields(re.fullmatch(r"array<struct<(.*)>>", kind)[1])]


def _duck_type(kind: str) -> str:
    """Translate a type of Hive.

    >>> _duck_type("array<struct<a:string,b:map<string,int>>>")
    'STRUCT("a" VARCHAR, "b" MAP(VARCHAR, INTEGER))[]'
    """
    if found := re.fullmatch(r"array<(.*)>", kind):
        return f"{_duck_type(found[1])}[]"
    if found := re.fullmatch(r"map<(\w+),(\w+)>", kind):
        return f"MAP({_duck_type(found[1])}, {_duck_type(found[2])})"
    if found := re.fullmatch(r"struct<(.*)>", kind):
        fields = [f'"{name}" {_duck_type(inner)}' for name, inner in _struct_fields(found[1])]
        return f"STRUCT({', '.join(fields)})"
    return {
        "string": "VARCHAR",
        "int": "INTEGER",
        "bigint": "BIGINT",
        "double": "DOUBLE",
        "boolean": "BOOLEAN",
    }[kind]


def _struct_fields(inner: str) -> list[tuple[str, str]]:
    depth, parts = 0, [""]
    for character in inner:
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [tuple(part.split(":", 1)) for part in parts]


def _normal_cdf(mean: float, deviation: float, value: float) -> float:
    return 0.5 * (1 + math.erf((value - mean) / (deviation * math.sqrt(2))))
