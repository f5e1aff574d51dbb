"""Builders of test data: every argument has a default, so a test names only what it is about."""

import gzip
import json
from base64 import b64encode
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from personalization.events import Event, EventType, encode_event
from personalization.experiment_results import Decision, ExperimentResults
from personalization.lists import ListItem, RecommendationList
from personalization.names import Ranker
from personalization.ports import StreamRecord
from personalization.profiles import at_seconds

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def event(event_type: str = "click", item_id: str | None = "sku-1", **fields: Any) -> Event:
    """Build a canonical event that happened and arrived at NOW."""
    kind = EventType(event_type)
    occurred_at = fields.pop("occurred_at", NOW)
    if kind is EventType.IMPRESSION:
        item_id, fields["item_ids"] = None, tuple(fields.get("item_ids", ("sku-1", "sku-2")))
    return Event(
        event_id=fields.pop("event_id", f"{kind}-{item_id}-{occurred_at.timestamp()}"),
        event_type=kind,
        occurred_at=occurred_at,
        received_at=fields.pop("received_at", occurred_at),
        user_key=fields.pop("user_key", "user-1"),
        item_id=item_id,
        **fields,
    )


def client_event(event_type: str = "click", **fields: Any) -> dict[str, Any]:
    """Build a valid event as a client sends it, as a JSON-ready dict; None removes a field."""
    body: dict[str, Any] = {
        "event_id": "e-1",
        "event_type": event_type,
        "user_id": "ann",
        "occurred_at": "2026-01-15T12:00:00Z",
    }
    if event_type == "impression":
        body["item_ids"] = ["sku-1", "sku-2"]
    elif event_type not in ("identify", "consent_changed", "user_upserted"):
        body["item_id"] = "sku-1"
    if event_type in ("rating", "dwell"):
        body["value"] = 4.0
    body |= fields
    return {name: value for name, value in body.items() if value is not None}


def record(
    event: Event | bytes, sequence_number: int, *, shard: str = "shard-0", partition_key: str | None = None
) -> StreamRecord:
    """Build a stream record of an event, or of any bytes."""
    return StreamRecord(
        shard=shard,
        sequence_number=str(sequence_number),
        partition_key=partition_key or ("unknown" if isinstance(event, bytes) else event.partition_key),
        arrived_at=NOW,
        data=event if isinstance(event, bytes) else encode_event(event),
    )


def listed(
    *item_ids: str, version: str = "v1", ranker: Ranker | None = None, revision: int = 0
) -> RecommendationList:
    """Build a stored list of the items, best first."""
    return RecommendationList(
        list_id="list-1",
        model_version=version,
        ranker=ranker,
        revision=revision,
        built_at=at_seconds(NOW),
        items=tuple(ListItem(item_id, score=1.0) for item_id in item_ids),
    )


def delivered(*lines: str, kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    """Build what CloudWatch Logs sends to the Lambda of a subscription."""
    payload = {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/aws/lambda/get_recommendations",
        "logStream": "2026/01/15/[$LATEST]0123456789abcdef",
        "subscriptionFilters": ["exposures"],
        "logEvents": [
            {"id": f"{number:056d}", "timestamp": at_seconds(NOW) * 1000, "message": line}
            for number, line in enumerate(lines)
        ],
    }
    return {"awslogs": {"data": b64encode(gzip.compress(json.dumps(payload).encode())).decode()}}


def lambda_of(memory_mb: int = 3008, minutes: float = 15) -> SimpleNamespace:
    """The context of an invocation of `run_training_step`."""
    return SimpleNamespace(
        function_name="run_training_step",
        memory_limit_in_mb=memory_mb,
        get_remaining_time_in_millis=lambda: int(minutes * 60_000),
    )


def experiment_results(**changes: Any) -> ExperimentResults:
    """Build results of an experiment that nobody was exposed to yet."""
    values: dict[str, Any] = {
        "experiment": "ranking",
        "surface": "home",
        "as_of": NOW,
        "started_at": None,
        "users": 0,
        "crossed_over": 0,
        "decision": Decision.KEEP_RUNNING,
        "verdict": "Keep running: nobody was exposed yet.",
        "variants": (),
    }
    return ExperimentResults(**values | changes)
