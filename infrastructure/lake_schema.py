"""The columns of the lake's tables, in Hive's types: as the writers' JSON has them.

Times are text, as `from_iso8601_timestamp` reads it. A test holds the columns to the definitions of records.
"""

from collections.abc import Mapping
from typing import Final

Columns = Mapping[str, str]


def _struct(**fields: str) -> str:
    return f"struct<{','.join(f'{name}:{kind}' for name, kind in fields.items())}>"


def _array(kind: str) -> str:
    return f"array<{kind}>"


_CONTEXT: Final = _struct(
    device="string", country="string", language="string", referrer="string", user_agent="string"
)
_ITEM: Final = _struct(
    item_id="string",
    title="string",
    text="string",
    tags=_array("string"),
    category="string",
    price="double",
    available="boolean",
    published_at="string",
)
_EVENT: Final = _struct(
    schema_version="int",
    event_id="string",
    event_type="string",
    occurred_at="string",
    item_id="string",
    item_ids=_array("string"),
    value="double",
    session_id="string",
    recommendation_id="string",
    surface="string",
    position="int",
    reason="string",
    consent="string",
    attributes="map<string,string>",
    context=_CONTEXT,
    received_at="string",
    user_key="string",
    item=_ITEM,
    bot="boolean",
    visitor_key="string",
    anonymous="boolean",
    since="bigint",
)
EVENTS: Final[Columns] = {
    "sequence_number": "string",
    "arrived_at": "string",
    "event": _EVENT,
    "raw": "string",
    "shard": "string",
}

EXPOSURES: Final[Columns] = {
    "request_id": "string",
    "at": "string",
    "user_key": "string",
    "surface": "string",
    "list_id": "string",
    "source": "string",
    "model_version": "string",
    "receipt": "string",
    "assignments": _array(_struct(experiment="string", variant="string", forced="boolean")),
    "session_id": "string",
    "country": "string",
    "device": "string",
    "referrer": "string",
    "bot": "boolean",
    "degraded": "string",
}

_INTERVAL: Final = _array("double")
_COMPARISON: Final = _struct(
    metric="string",
    role="string",
    unit="string",
    method="string",
    control="double",
    value="double",
    lift="double",
    interval=_INTERVAL,
    always_valid=_INTERVAL,
    p_value="double",
    adjusted_p_value="double",
    always_valid_p_value="double",
    margin="double",
    harmed="boolean",
)
_VARIANT: Final = _struct(
    name="string",
    weight="double",
    users="int",
    impressions="int",
    clicks="int",
    conversions="int",
    revenue="double",
    dwell_seconds="double",
    ctr="double",
    ctr_interval=_INTERVAL,
    comparisons=_array(_COMPARISON),
)
_SAMPLE_RATIO: Final = _struct(
    expected=_array("double"),
    observed=_array("int"),
    p_value="double",
    always_valid_p_value="double",
    mismatch="boolean",
)
RESULTS: Final[Columns] = {
    "experiment": "string",
    "surface": "string",
    "as_of": "string",
    "started_at": "string",
    "users": "int",
    "crossed_over": "int",
    "decision": "string",
    "verdict": "string",
    "variants": _array(_VARIANT),
    "sample_ratio": _SAMPLE_RATIO,
    "plan": _struct(effect="double", power="double", users_needed="int", days_left="double"),
    "looks": _array(
        _struct(at="string", variant="string", users="int", lift="double", always_valid=_INTERVAL)
    ),
}
