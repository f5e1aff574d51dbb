"""Every outage that was thought of: what a call must come to in it, how long it may take, whom it may ask."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from factories import delivered, listed
from outages.shop import ANN, BEN, FOR_EVER, Mode, Outcome, Shop, clicks, kinesis_batch, refreshes
from personalization import keys
from personalization.exposures import MESSAGE
from personalization.ports import ActiveModel
from personalization.tokens import verify

ANSWER_MILLISECONDS = 800
COLD_MILLISECONDS = 1_000 + ANSWER_MILLISECONDS
"""The keys are waited for before the answer's own time begins."""
Call = Callable[[Shop], Outcome]
Asked = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One outage, and what one call in it must come to.

    Attributes
    ----------
    prepare
        What happened before: a warm container, calls that failed.
    says
        Fields of the answer's body that matter.
    asked
        The most requests that one call may cause, by service; of services that are not named, none.
    milliseconds
        The longest that it may take.
    after
        Asserts that nothing was lost, once the outage is over.
    slow
        Whether it takes seconds: those are for `make prove`.
    """

    outage: str
    call_name: str
    modes: Mapping[str, Mode]
    call: Call
    answer: str
    milliseconds: float
    asked: Asked
    says: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Shop], object] = Shop.warm
    during: Callable[[Shop], object] = lambda shop: None
    after: Callable[[Shop, Outcome], None] = lambda shop, outcome: None
    slow: bool = False

    @property
    def name(self) -> str:
        return f"{self.outage}: {self.call_name}"

    def run(self, shop: Shop) -> Outcome:
        """Inject the outage, call once, hold it to what it must come to, and see what is left of it.

        How long the call took is for the caller to judge: it depends on the machine.
        """
        shop.reset()
        shop.platform.app_config.delay = shop.platform.app_config.failing = 0
        self.prepare(shop)
        with shop.wire.outage(**self.modes), _app_config(shop, self.modes):
            self.during(shop)
            outcome = self.call(shop)
        assert (outcome.answer, self._said(outcome)) == (self.answer, self.says)
        assert all(count <= self.asked.get(service, 0) for service, count in outcome.asked.items())
        self.after(shop, outcome)
        return outcome

    def _said(self, outcome: Outcome) -> dict[str, Any]:
        """Return what the answer says, of what matters: rejected events by their codes."""
        said = {name: outcome.body.get(name) for name in self.says}
        if "rejected" in said:
            said["rejected"] = [row["code"] for row in said["rejected"]]
        return said


@contextmanager
def _app_config(shop: Shop, modes: Mapping[str, Mode]) -> Iterator[None]:
    """AppConfig has a socket of its own in every test."""
    server = shop.platform.app_config
    server.delay = 1.0 if modes.get("appconfigdata") is Mode.HANGS else 0.0
    server.failing = modes.get("appconfigdata") is Mode.FAILS
    try:
        yield
    finally:
        server.delay, server.failing = 0.0, False


def cold(shop: Shop) -> None:
    """Leave the containers as they start."""


def exposes_nobody(shop: Shop, outcome: Outcome) -> None:
    """A degraded answer claims no variant, and leaves no exposure: whether Ann consented is not known."""
    assert outcome.body["assignments"] == []
    receipt = verify(b"token-secret", outcome.body["recommendation_id"], user_key=ANN, now=datetime.now(UTC))
    assert receipt.assignments == ()
    assert not _exposures(outcome)


def recovers(shop: Shop, outcome: Outcome) -> None:
    """The next request of the same container gets the user's own list."""
    exposes_nobody(shop, outcome)
    assert shop.recommendations().body["source"] == "list"


def counts_for_nobody(shop: Shop, outcome: Outcome) -> None:
    assert outcome.body["recommendation_id"] is None
    assert not _exposures(outcome)
    assert shop.recommendations().body["recommendation_id"]


def _exposures(outcome: Outcome) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in outcome.printed.splitlines() if line.startswith("{")]
    return [row for row in lines if row.get("message") == MESSAGE]


def asks_to_come_back(shop: Shop, outcome: Outcome) -> None:
    assert 1 <= int(outcome.headers["retry-after"]) <= 4
    assert "request-1" in outcome.body["request_id"]


def is_taken_when_sent_again(shop: Shop, outcome: Outcome) -> None:
    if outcome.answer == "503":
        asks_to_come_back(shop, outcome)
    shop.forget_containers()
    assert shop.events().body == {"accepted": 4, "rejected": []}


def fail(call: Call, times: int) -> Callable[[Shop], None]:
    """Let a call fail so often before."""

    def failing(shop: Shop) -> None:
        for _ in range(times):
            call(shop)

    return failing


def is_applied_once_when_it_comes_again(shop: Shop, outcome: Outcome, *, event: dict[str, Any]) -> None:
    for _ in range(2):
        assert shop.call("update_profiles", event, timeout=60.0).answer == "0 again"
    for record in event["Records"]:
        assert shop.profile(record["kinesis"]["partitionKey"]).revision == 1


def is_archived_once_when_it_comes_again(
    shop: Shop, outcome: Outcome, *, function: str, event: dict[str, Any], prefix: str
) -> None:
    before = _objects(shop, prefix)
    for _ in range(2):
        shop.call(function, event, timeout=30.0)
    assert len(_objects(shop, prefix)) == len(before) + 1


def _objects(shop: Shop, prefix: str) -> list[str]:
    found = shop.objects.list_objects_v2(Bucket="lake", Prefix=prefix)
    return [row["Key"] for row in found.get("Contents", [])]


def all_come_again(shop: Shop, outcome: Outcome) -> None:
    assert outcome.answer == "3 again"


def kept_lists_are_old(shop: Shop) -> None:
    """Let the container's copy of the shared lists be older than it is kept."""
    from functions.get_trending.dependencies import dependencies

    dependencies().reader.shared.read_at = float("-inf")


def model_is_missing(shop: Shop) -> None:
    """Put a model in service whose files are not there."""
    _serve(shop, "gone")


def model_is_damaged(shop: Shop) -> None:
    """Put a model in service whose files are cut short."""
    for name, body in {"manifest.json": b'["metadata.json"]', "metadata.json": b'{"version": "dam'}.items():
        shop.objects.put_object(Bucket="models", Key=f"models/damaged/{name}", Body=body)
    _serve(shop, "damaged")


def _serve(shop: Shop, version: str) -> None:
    popular = keys.segment_key(keys.POPULAR, version=version)
    shop.lists.write_list(popular, listed("p1", version=version), expires_at=FOR_EVER)
    shop.lists.activate(ActiveModel(version, None, 0))


def reads_go_on(shop: Shop, outcome: Outcome) -> None:
    assert shop.recommendations().body["source"] == "popular"


_ann: Call = Shop.recommendations
_ben: Call = partial(Shop.recommendations, user="ben")
_warm_answer, _cold_answer = "recommendations, warm", "recommendations, cold"
_experiments: Call = lambda shop: shop.call(  # noqa: E731
    "get_experiment", {"headers": {}, "pathParameters": {"name": "e"}}
)
_console: Call = lambda shop: shop.call(  # noqa: E731
    "get_console_data", {"headers": {}, "routeKey": "GET /v1/admin/models"}, timeout=20.0
)
_items: Call = lambda shop: shop.call(  # noqa: E731
    "put_items", {"headers": {}, "body": '{"item_id": "sku-1"}'}, timeout=15.0
)
KEPT = {"source": "trending", "degraded": "kept_lists"}
PUBLISHED = {"source": "trending", "degraded": "published_lists"}
NOTHING = {"source": "none", "degraded": "nothing", "items": []}
TABLE_CALLS = {"dynamodb": 2}
COLD_CALLS = {"dynamodb": 2, "secretsmanager": 3, "s3": 1}


def _read(outage: str, mode: Mode, **changes: Any) -> Case:
    """A request for recommendations while DynamoDB is so."""
    usual: dict[str, Any] = {
        "call_name": _warm_answer,
        "modes": {"dynamodb": mode},
        "call": _ann,
        "answer": "200",
        "milliseconds": ANSWER_MILLISECONDS,
        "asked": TABLE_CALLS,
        "says": KEPT,
        "after": exposes_nobody,
    }
    return Case(outage=outage, **(usual | changes))


def _batch(
    outage: str, function: str, event: dict[str, Any], answer: str, *, timeout: float = 60.0, **changes: Any
) -> Case:
    """A batch of a function that nobody waits for."""
    usual = {
        "call_name": function,
        "call": lambda shop: shop.call(function, event, timeout=timeout),
        "answer": answer,
        "prepare": cold,
        "milliseconds": 5_000,
    }
    return Case(outage=outage, **(usual | changes))


_some, _more, _late = clicks(3, "down"), clicks(3, "queue"), clicks(40, "late")
_broken = kinesis_batch(("p", b"not json"), ("p", b"nor this"), ("q", b"at all"))
_lake = clicks(5, "lake")
_delivery = delivered('{"message": "exposure", "exposure": "broken", "list_id": ""}')

CASES: tuple[Case, ...] = (
    _read(
        "none", Mode.WELL, asked={"dynamodb": 1}, says={"source": "list"}, after=lambda shop, outcome: None
    ),
    _read("DynamoDB hangs", Mode.HANGS),
    _read(
        "DynamoDB hangs",
        Mode.HANGS,
        call_name=_cold_answer,
        prepare=cold,
        says=PUBLISHED,
        asked=COLD_CALLS,
        milliseconds=COLD_MILLISECONDS,
    ),
    _read(
        "DynamoDB hangs, after 3 failures",
        Mode.DOWN,
        during=fail(_ann, 3),
        milliseconds=100,
        asked={},
    ),
    _read(
        "DynamoDB is slow (150 ms)",
        Mode.SLOW,
        asked={"dynamodb": 1},
        says={"source": "list"},
        after=lambda shop, outcome: None,
    ),
    _read("DynamoDB throttles", Mode.THROTTLES, after=recovers),
    _read("DynamoDB fails (500)", Mode.FAILS, after=recovers),
    _read("DynamoDB is down", Mode.DOWN, after=recovers),
    _read(
        "DynamoDB and S3 hang",
        Mode.HANGS,
        call_name=_cold_answer,
        prepare=cold,
        modes={"dynamodb": Mode.HANGS, "s3": Mode.HANGS},
        says=NOTHING,
        asked=COLD_CALLS,
        milliseconds=COLD_MILLISECONDS,
    ),
    _read(
        "DynamoDB is down, nothing was published",
        Mode.DOWN,
        call_name=_cold_answer,
        prepare=cold,
        modes={"dynamodb": Mode.DOWN, "s3": Mode.FORBIDS},
        says=NOTHING,
        asked=COLD_CALLS,
        milliseconds=COLD_MILLISECONDS,
    ),
    _read(
        "DynamoDB hangs",
        Mode.HANGS,
        call_name="trending, warm",
        call=Shop.trending,
        during=kept_lists_are_old,
        says={"degraded": "kept_lists"},
        after=lambda shop, outcome: None,
    ),
    _read(
        "DynamoDB hangs",
        Mode.HANGS,
        call_name="trending, cold",
        call=Shop.trending,
        prepare=cold,
        says={"degraded": "published_lists"},
        asked={"dynamodb": 2, "s3": 1},
        after=lambda shop, outcome: None,
    ),
    _read(
        "DynamoDB is down",
        Mode.DOWN,
        call_name="an experiment",
        call=_experiments,
        prepare=cold,
        answer="503",
        says={"code": "unavailable"},
        after=asks_to_come_back,
    ),
    _read(
        "DynamoDB hangs",
        Mode.HANGS,
        call_name="an experiment",
        call=_experiments,
        prepare=cold,
        answer="503",
        says={"code": "unavailable"},
        milliseconds=6_500,
        after=asks_to_come_back,
        slow=True,
    ),
    _read(
        "DynamoDB is down",
        Mode.DOWN,
        call_name="the console's models",
        call=_console,
        prepare=cold,
        answer="503",
        says={"code": "unavailable"},
        milliseconds=1_500,
        asked={"dynamodb": 2, "secretsmanager": 1},
        after=asks_to_come_back,
    ),
    Case(
        outage="AppConfig hangs",
        call_name=_cold_answer,
        modes={"appconfigdata": Mode.HANGS},
        call=_ann,
        prepare=cold,
        answer="200",
        says={"source": "list", "experiments": "unavailable", "assignments": []},
        milliseconds=COLD_MILLISECONDS,
        asked={"dynamodb": 2, "secretsmanager": 3},
    ),
    Case(
        outage="AppConfig fails",
        call_name=_warm_answer,
        modes={"appconfigdata": Mode.FAILS},
        call=_ann,
        answer="200",
        says={"source": "list", "experiments": "in_force"},
        milliseconds=ANSWER_MILLISECONDS,
        asked={"dynamodb": 1},
    ),
    Case(
        outage="Secrets Manager hangs",
        call_name=_cold_answer,
        modes={"secretsmanager": Mode.HANGS},
        call=_ann,
        prepare=cold,
        answer="200",
        says={"source": "trending", "degraded": "shared_lists"},
        milliseconds=COLD_MILLISECONDS,
        asked={"dynamodb": 2, "secretsmanager": 3},
        after=counts_for_nobody,
    ),
    Case(
        outage="Secrets Manager is down",
        call_name="events, cold",
        modes={"secretsmanager": Mode.DOWN},
        call=Shop.events,
        prepare=cold,
        answer="503",
        says={"code": "unavailable"},
        milliseconds=2_500,
        asked={"secretsmanager": 2},
        after=is_taken_when_sent_again,
    ),
    Case(
        outage="Kinesis is down",
        call_name="events",
        modes={"kinesis": Mode.DOWN},
        call=Shop.events,
        answer="503",
        says={"code": "stream_busy"},
        milliseconds=1_500,
        asked={"kinesis": 3, "secretsmanager": 1, "dynamodb": 1},
        after=is_taken_when_sent_again,
    ),
    Case(
        outage="Kinesis is down, after 3 failures",
        call_name="events",
        modes={"kinesis": Mode.DOWN},
        call=Shop.events,
        during=Shop.events,
        answer="503",
        says={"code": "stream_busy"},
        milliseconds=100,
        asked={},
        after=is_taken_when_sent_again,
    ),
    Case(
        outage="Kinesis hangs",
        call_name="events",
        modes={"kinesis": Mode.HANGS},
        call=Shop.events,
        answer="503",
        says={"code": "stream_busy"},
        milliseconds=4_500,
        asked={"kinesis": 2, "secretsmanager": 1, "dynamodb": 1},
        after=is_taken_when_sent_again,
        slow=True,
    ),
    Case(
        outage="Kinesis throttles",
        call_name="items",
        modes={"kinesis": Mode.THROTTLES},
        call=_items,
        answer="503",
        says={"code": "stream_busy"},
        milliseconds=1_500,
        asked={"kinesis": 3},
        after=asks_to_come_back,
    ),
    Case(
        outage="Kinesis throttles half of a batch",
        call_name="events",
        modes={"kinesis": Mode.THROTTLES_HALF},
        call=partial(Shop.events, count=16),
        answer="202",
        says={"accepted": 14, "rejected": ["stream_busy"] * 2},
        milliseconds=1_500,
        asked={"kinesis": 3, "secretsmanager": 1, "dynamodb": 1},
        after=is_taken_when_sent_again,
    ),
    Case(
        outage="SQS hangs",
        call_name=f"{_warm_answer}, an old list",
        modes={"sqs": Mode.HANGS},
        call=_ben,
        answer="200",
        says={"source": "stale_list"},
        milliseconds=ANSWER_MILLISECONDS,
        asked={"dynamodb": 1, "sqs": 1},
    ),
    Case(
        outage="SQS hangs, after 3 failures",
        call_name=f"{_warm_answer}, an old list",
        modes={"sqs": Mode.DOWN},
        call=_ben,
        during=fail(_ben, 3),
        answer="200",
        says={"source": "stale_list"},
        milliseconds=ANSWER_MILLISECONDS,
        asked={"dynamodb": 1},
    ),
    Case(
        outage="SQS has a backlog",
        call_name=f"{_warm_answer}, an old list",
        modes={},
        call=_ben,
        answer="200",
        says={"source": "stale_list"},
        milliseconds=ANSWER_MILLISECONDS,
        asked={"dynamodb": 1, "sqs": 1},
    ),
    _batch(
        "SQS is down",
        "update_profiles",
        _more,
        "0 again",
        modes={"sqs": Mode.DOWN},
        asked={"kinesis": 1, "secretsmanager": 2, "dynamodb": 4, "sqs": 2},
        after=partial(is_applied_once_when_it_comes_again, event=_more),
    ),
    _batch(
        "DynamoDB is down",
        "update_profiles",
        _some,
        "raises Unavailable",
        modes={"dynamodb": Mode.DOWN},
        asked={"kinesis": 1, "secretsmanager": 2, "dynamodb": 2},
        after=partial(is_applied_once_when_it_comes_again, event=_some),
    ),
    _batch(
        "a batch comes with no time left",
        "update_profiles",
        _late,
        "40 again",
        modes={},
        # In its last 21 seconds nothing begins that could take so long.
        timeout=20.0,
        asked={"kinesis": 1, "secretsmanager": 2, "dynamodb": 1},
        after=partial(is_applied_once_when_it_comes_again, event=_late),
    ),
    _batch(
        "S3 is down: a record can't be quarantined",
        "update_profiles",
        _broken,
        "2 again",
        modes={"s3": Mode.DOWN},
        asked={"kinesis": 1, "secretsmanager": 2, "s3": 4},
    ),
    _batch(
        "S3 is down",
        "archive_events",
        _lake,
        "raises Unavailable",
        modes={"s3": Mode.DOWN},
        asked={"kinesis": 1, "s3": 2},
        after=partial(
            is_archived_once_when_it_comes_again, function="archive_events", event=_lake, prefix="events/"
        ),
    ),
    _batch(
        "S3 is down",
        "archive_exposures",
        _delivery,
        "raises Unavailable",
        modes={"s3": Mode.DOWN},
        asked={"s3": 2},
        after=partial(
            is_archived_once_when_it_comes_again,
            function="archive_exposures",
            event=_delivery,
            prefix="quarantine/exposures/",
        ),
    ),
    _batch(
        "DynamoDB is down",
        "refresh_recommendations",
        refreshes(BEN, "u-1", "u-2"),
        "3 again",
        modes={"dynamodb": Mode.DOWN},
        asked={"dynamodb": 8},
    ),
    _batch(
        "a message comes with no time left",
        "refresh_recommendations",
        refreshes(BEN, "u-1", "u-2"),
        "3 again",
        modes={},
        timeout=20.0,
        asked={},
    ),
    _batch(
        "S3 is down: the model can't be fetched",
        "refresh_recommendations",
        refreshes(BEN, "u-1", "u-2"),
        "3 again",
        modes={"s3": Mode.DOWN},
        asked={"dynamodb": 10, "s3": 6},
    ),
    _batch(
        "the model is not there",
        "refresh_recommendations",
        refreshes(BEN, "u-1", "u-2"),
        "3 again",
        modes={"s3": Mode.FORBIDS},
        prepare=model_is_missing,
        asked={"dynamodb": 10, "s3": 3},
        after=reads_go_on,
    ),
    _batch(
        "the model is damaged",
        "refresh_recommendations",
        refreshes(BEN, "u-1", "u-2"),
        "3 again",
        modes={},
        prepare=model_is_damaged,
        asked={"dynamodb": 10, "s3": 3},
        after=reads_go_on,
    ),
)
