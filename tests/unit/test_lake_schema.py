"""The tables over the lake have the columns that the lake's writers write."""

from datetime import datetime
from typing import Any

import msgspec
import msgspec.inspect as shape
import pytest

from infrastructure.lake_schema import EVENTS, EXPOSURES, RESULTS, Columns
from personalization.archiving import LakeLine
from personalization.events import Event
from personalization.experiment_results import ExperimentResults
from personalization.exposures import Exposure

SIMPLE: dict[type[shape.Type], str] = {
    shape.BoolType: "boolean",
    shape.IntType: "int",
    shape.FloatType: "double",
    shape.StrType: "string",
    shape.DateTimeType: "string",
    shape.EnumType: "string",
}


def hive(kind: shape.Type) -> str:
    """Name the type of Hive in which the JSON of a type is read."""
    match kind:
        case shape.UnionType(types):
            (only,) = [one for one in types if not isinstance(one, shape.NoneType)]
            name = hive(only)
        case shape.StructType(fields=fields):
            name = f"struct<{','.join(f'{field.encode_name}:{hive(field.type)}' for field in fields)}>"
        case shape.DictType(key_type, value_type):
            name = f"map<{hive(key_type)},{hive(value_type)}>"
        case shape.TupleType(item_types):
            (only_name,) = {hive(one) for one in item_types}
            name = f"array<{only_name}>"
        case shape.VarTupleType(item_type) | shape.ListType(item_type):
            name = f"array<{hive(item_type)}>"
        case shape.IntType(lt=limit) if limit and limit > 2**31:
            name = "bigint"
        case shape.LiteralType(values):
            name = {int: "int", str: "string"}[type(values[0])]
        case _:
            name = SIMPLE[type(kind)]
    return name


def columns_of(record: type) -> dict[str, str]:
    found = shape.type_info(record)
    assert isinstance(found, shape.StructType)
    return {field.encode_name: hive(field.type) for field in found.fields}


class Line(msgspec.Struct):
    """`LakeLine`, with the event as its readers decode it, and bytes as JSON has them."""

    sequence_number: str
    arrived_at: datetime
    event: Event
    raw: str
    shard: str


def test_the_line_of_this_test_has_the_fields_of_the_lakes() -> None:
    assert msgspec.structs.fields(Line)[0].name == "sequence_number"
    assert Line.__struct_fields__ == LakeLine.__struct_fields__


@pytest.mark.parametrize(
    ("columns", "record"),
    [
        pytest.param(EVENTS, Line, id="events"),
        pytest.param(EXPOSURES, Exposure, id="exposures"),
        pytest.param(RESULTS, ExperimentResults, id="experiment_results"),
    ],
)
def test_a_table_has_the_columns_of_its_records(columns: Columns, record: Any) -> None:
    written, listed = columns_of(record), dict(columns)
    if record is Line:
        assert sorted(fields_of(listed.pop("event"))) == sorted(fields_of(written.pop("event")))
    assert listed == written


def fields_of(struct: str) -> list[str]:
    """Cut a struct at its own commas; the order of an event's fields is nobody's concern."""
    inner, depth, fields = struct.removeprefix("struct<").removesuffix(">"), 0, [""]
    for character in inner:
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            fields.append("")
        else:
            fields[-1] += character
    return fields
