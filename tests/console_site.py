"""The console with data, in this process: the functions' own handlers behind HTTP, over moto.

`PYTHONPATH=tests python -m console_site` serves it until it is interrupted, to be looked at.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import boto3
import msgspec
from moto import mock_aws

from app_config import app_config
from contracts.conftest import TABLE, create_table
from factories import event
from infrastructure.definitions import as_json, read_definitions
from personalization import keys
from personalization.adapters.dynamodb import DynamoCatalog, DynamoListStore, DynamoProfileStore
from personalization.events import Item
from personalization.experiment_results import (
    Comparison,
    Decision,
    ExperimentResults,
    Look,
    Plan,
    Role,
    SampleRatio,
    VariantResults,
    encode_results,
)
from personalization.experiments import Assignment, Visitor
from personalization.identity import user_key
from personalization.ledger import Mark
from personalization.lists import ListItem, RecommendationList
from personalization.names import NAMESPACE, Metric
from personalization.ports import ActiveModel, ItemChange
from personalization.profiles import apply
from personalization.registry import METADATA_FILE, QUALITY_FILE, Metadata, Quality

MOUNT = "/_aws/execute-api/abc123"
"""Where the local AWS mounts an API: the page must work below any path."""
SECRET = "user-key-secret"
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">"
ALARM = "attune-test-observability-AlarmsClickRateHomeRankingModel2F9C11AB-1BZ5J2H7K3QX"
ERRORS = "observability-AlarmsServerErrors0B7E44D1-9QK2M4X7T1ZP"
BEHIND = "observability-AlarmsUpdateProfilesBehind5A0C9E3F-4WJ8N2V6R3YL"
RUNBOOK = "https://example.com/attune/docs/runbooks/click-rate.md"
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="request-1"
)
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class Site:
    """A running console."""

    url: str
    """Of the page."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Every request: its path with the query, and the Authorization header."""
    broken: set[str] = field(default_factory=set)
    """Routes that answer 503."""
    gate: Callable[[str, str | None], int] = lambda *_: 200
    """What the authorizer of the API answers to a path and an Authorization header: 200, 401 or 403."""

    def know(self, **settings: str) -> None:
        """Change what the functions read from their environment."""
        os.environ.update(settings)
        _forget()

    def set_alarm(self, name: str, state: str, reason: str = "Threshold crossed.") -> None:
        boto3.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)


class Server(ThreadingHTTPServer):
    """A server that says nothing when a browser leaves before its answer."""

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def running_site(*, sign_in_url: str = "none", client_id: str = "none", seed: bool = True) -> Iterator[Site]:
    """Serve the console, with data or empty."""
    with (
        mock_aws(),
        app_config(as_json(read_definitions())) as experiments,
        patch.dict(os.environ, _settings(sign_in_url, client_id, experiments.url)),
    ):
        _create()
        if seed:
            fill(datetime.now(UTC))
        site = Site("")
        server = Server(("127.0.0.1", 0), _request_handler(site))
        site.url = f"http://127.0.0.1:{server.server_port}{MOUNT}/v1/console"
        Thread(target=server.serve_forever, daemon=True).start()
        _forget()
        try:
            yield site
        finally:
            server.shutdown()
            server.server_close()
            _forget()


def _settings(sign_in_url: str, client_id: str, experiments_url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_APPCONFIGDATA": experiments_url,
        "EXPERIMENTS_ADDRESS": "attune/test/experiments",
        "TABLE_NAME": TABLE,
        "MODEL_BUCKET": "models",
        "ALARM_PREFIX": "attune-test-",
        "CONSENT_DEFAULT": "personalization",
        "ENVIRONMENT_NAME": "local" if sign_in_url == "none" else "test",
        "SIGN_IN_URL": sign_in_url,
        "CLIENT_ID": client_id,
        "SCOPE": "attune/admin",
    }


def _forget() -> None:
    from functions.get_console_data import dependencies as data
    from functions.serve_console import dependencies as page

    for kept in (data.dependencies, page.assets, page.settings):
        kept.cache_clear()


def _request_handler(site: Site) -> type[BaseHTTPRequestHandler]:
    from functions.get_console_data.handler import handler as read
    from functions.serve_console.handler import handler as serve

    class RequestHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            site.asked.append((self.path, self.headers["authorization"]))
            parts = address.path.removeprefix(MOUNT).strip("/").split("/")
            match parts:
                case ["v1", "console", *rest] if len(rest) <= 1:
                    self._answer(serve, {"pathParameters": {"asset": rest[0]} if rest else None})
                case ["v1", "admin", "users", user]:
                    self._data(read, "GET /v1/admin/users/{user_id}", address.query, {"user_id": user})
                case ["v1", "admin", section]:
                    self._data(read, f"GET /v1/admin/{section}", address.query, None)
                case _:
                    self.send_error(404)

        def _data(self, read: Handler, route: str, query: str, parameters: dict[str, str] | None) -> None:
            status = 503 if route in site.broken else site.gate(self.path, self.headers["authorization"])
            if status != 200:
                self.send_error(status)
                return
            values = dict(parse_qsl(query))
            asked = {"routeKey": route, "pathParameters": parameters, "queryStringParameters": values}
            self._answer(read, asked)

        def _answer(self, handler: Handler, asked: dict[str, Any]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = handler({"headers": headers, **asked}, CONTEXT)
            body = answer.get("body", "").encode()
            self.send_response(answer["statusCode"])
            for name, value in {**answer["headers"], "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return RequestHandler


def get(route: str, *, status: int = 200, user_id: str | None = None, **query: str) -> Any:
    """Ask the deployed handler for a section."""
    from functions.get_console_data.handler import handler

    answer = handler(
        {
            "routeKey": f"GET /v1/admin/{route}",
            "headers": {},
            "pathParameters": {"user_id": user_id} if user_id is not None else None,
            "queryStringParameters": query,
        },
        CONTEXT,
    )
    assert answer["statusCode"] == status, answer["body"]
    if status == 200:
        assert answer["headers"]["cache-control"] == "no-store"
    return json.loads(answer["body"])


def _create() -> None:
    create_table(boto3.client("dynamodb"))
    boto3.client("s3").create_bucket(Bucket="models")
    secret = boto3.client("secretsmanager").create_secret(Name="user-key", SecretString=SECRET)
    os.environ["USER_KEY_SECRET_ARN"] = secret["ARN"]


def fill(now: datetime) -> None:
    """Leave what a platform that runs has: models, a user with lists, counts, results, alarms."""
    _publish(now)
    _act(now)
    _count(now)
    _analyze(now)
    _watch()


TITLES = (
    ("Brass desk lamp", "Lighting"),
    ("Walnut side table", "Furniture"),
    ("Linen cushion, moss", "Textiles"),
    ("Stoneware mug", "Kitchen"),
    ("Rechargeable reading light", "Lighting"),
    ("Oak shelf, 80 cm", "Furniture"),
    (HOSTILE, "Kitchen"),
    ("Wool throw", "Textiles"),
    ("Paper pendant", "Lighting"),
    ("Carafe with lid", "Kitchen"),
    ("Folding stool", "Furniture"),
    ("Jute rug, round", "Textiles"),
)
REASONS = ("matches_your_taste", "others_also_liked", "similar_to_what_you_like", "trending")


def _publish(now: datetime) -> None:
    items = [
        Item(item_id=f"sku-{number}", title=title, category=category, price=20.0 + number)
        for number, (title, category) in enumerate(TITLES)
    ]
    client = boto3.client("dynamodb")
    DynamoCatalog(client, TABLE).put([ItemChange(item, Mark(1, "1")) for item in items])
    lists = DynamoListStore(client, TABLE)
    for days, version in ((2, "nightly-0113"), (1, "nightly-0114"), (0, "nightly-0115")):
        trained_at = now - timedelta(days=days, hours=3)
        _store_model(version, trained_at, 0.1124 + 0.004 * (2 - days))
    lists.activate(ActiveModel("nightly-0115", "nightly-0114", int((now - timedelta(hours=2)).timestamp())))
    ordered = [
        ListItem(
            item.item_id,
            score=2.5 - 0.17 * place,
            reason=REASONS[place % len(REASONS)],
            title=item.title,
            category=item.category,
            propensity=0.25 if place == 4 else 1.0,
        )
        for place, item in enumerate(items)
    ]
    ann = user_key(SECRET.encode(), "ann")
    definitions = read_definitions()
    (experiment,) = definitions.experiments
    for variant, order in zip(experiment.variants, (ordered[::-1], ordered), strict=True):
        forced = (Assignment(experiment.name, variant.name),)
        build = definitions.treatment(Visitor(ann), "home", now, forced=forced).build
        key = keys.list_key(ann, surface="home", version="nightly-0115", build=build)
        _write(lists, key, order, now, revision=5, ranker=build.ranker)
    for name in (keys.POPULAR, keys.TRENDING):
        _write(lists, keys.segment_key(name, version="nightly-0115"), ordered[2:], now)


def _write(
    lists: DynamoListStore,
    key: keys.Key,
    items: list[ListItem],
    now: datetime,
    *,
    revision: int = 0,
    ranker: Any = None,
) -> None:
    built = RecommendationList(
        list_id="list-1",
        model_version="nightly-0115",
        ranker=ranker,
        revision=revision,
        built_at=int(now.timestamp()),
        items=tuple(items),
    )
    lists.write_list(key, built, expires_at=int(now.timestamp()) + 3600)


def _store_model(version: str, trained_at: datetime, ndcg: float) -> None:
    metadata = Metadata(
        version=version,
        trained_at=trained_at,
        features=("a", "b"),
        events=1_204_331,
        users=48_112,
        items=9_630,
        data_from=trained_at - timedelta(days=90),
        data_to=trained_at,
        parameters={"seed": 1},
        code_version="0.1.0+3f9a11c0d2e4",
    )
    quality = Quality(4_210, {"model": ndcg, "popular": 0.04}, {"model": 0.31, "popular": 0.12})
    files = {
        METADATA_FILE: msgspec.json.encode(metadata),
        QUALITY_FILE: msgspec.json.encode(quality),
        keys.MANIFEST: b"{}",
    }
    for name, body in files.items():
        boto3.client("s3").put_object(Bucket="models", Key=keys.model_prefix(version) + name, Body=body)


def _act(now: datetime) -> None:
    ann = user_key(SECRET.encode(), "ann")
    profiles = DynamoProfileStore(boto3.client("dynamodb"), TABLE)
    (state,) = profiles.load([ann]).values()
    acts = (
        ("view", 0),
        ("click", 4),
        ("add_to_cart", 1),
        ("view", 6),
        ("click", 8),
        ("like", 3),
        ("click", 2),
    )
    for age, (kind, number) in enumerate(acts):
        at = now - timedelta(minutes=7 * age + 3)
        apply(state.profile, event(kind, f"sku-{number}", occurred_at=at, surface="home"))
    profiles.save(ann, state, version="1", now=now)


def _count(now: datetime) -> None:
    client = boto3.client("cloudwatch")
    (experiment,) = read_definitions().experiments
    for number, variant in enumerate(experiment.variants):
        dimensions = {"Surface": experiment.surface, "Experiment": experiment.name, "Variant": variant.name}
        dimensions["service"] = "update_profiles"
        for age in range(34):
            shown = 420 + 37 * ((age * 7 + number) % 5)
            clicked = round(shown * (0.031 + 0.011 * number + 0.004 * ((age * 3 + number) % 4)))
            client.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[
                    {
                        "MetricName": metric,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                        "Timestamp": now - timedelta(minutes=5 * age),
                        "Value": value,
                        "Unit": "Count",
                    }
                    for metric, value in ((Metric.IMPRESSIONS, shown), (Metric.CLICKS, clicked))
                ],
            )


def results(
    now: datetime, *, decision: Decision = Decision.SHIP, verdict: str = "", mismatch: bool = False
) -> ExperimentResults:
    """Build the results of the packaged experiment."""
    (experiment,) = read_definitions().experiments
    control, treated = experiment.variants
    method = "delta method with CUPED, mixture sequential test"
    comparisons = (
        Comparison(
            metric="ctr",
            role=Role.GOAL,
            unit="clicks per impression",
            method=method,
            control=0.0412,
            value=0.0467,
            lift=0.1335,
            interval=(0.071, 0.196),
            always_valid=(0.032, 0.235),
            p_value=0.00002,
            adjusted_p_value=0.00004,
            always_valid_p_value=0.0021,
        ),
        Comparison(
            metric="revenue_per_user",
            role=Role.GUARDRAIL,
            unit="per user",
            method="Welch, winsorized at 99%, mixture sequential test",
            control=1.82,
            value=1.85,
            lift=0.0165,
            interval=(-0.031, 0.064),
            always_valid=(-0.071, 0.104),
            p_value=0.49,
            always_valid_p_value=1.0,
            margin=0.05,
        ),
    )
    looks = tuple(
        Look(
            at=now - timedelta(days=9 - day),
            variant=treated.name,
            users=600 * day,
            lift=0.1335 + 0.09 * (-1) ** day / day,
            always_valid=(0.1335 - 0.32 / day**0.5, 0.1335 + 0.32 / day**0.5),
        )
        for day in range(1, 10)
    )
    arms = [(control, 2_704, 41_220, 1_698, ()), (treated, 2_689, 41_008, 1_915, comparisons)]
    return ExperimentResults(
        experiment=experiment.name,
        surface=experiment.surface,
        as_of=now - timedelta(minutes=22),
        started_at=now - timedelta(days=9),
        users=5_393,
        crossed_over=4,
        decision=decision,
        verdict=verdict or "Ship model: CTR is 13.4% higher (3.2% to 23.5%), and no guardrail is harmed.",
        variants=tuple(
            VariantResults(
                name=arm.name,
                weight=arm.weight,
                users=users,
                impressions=shown,
                clicks=clicked,
                conversions=clicked // 11,
                revenue=4_921.5 + users,
                dwell_seconds=90_000.0,
                ctr=clicked / shown,
                ctr_interval=(clicked / shown - 0.002, clicked / shown + 0.002),
                comparisons=compared,
            )
            for arm, users, shown, clicked, compared in arms
        ),
        sample_ratio=SampleRatio(
            expected=(0.5, 0.5),
            observed=(2_704, 2_689),
            p_value=0.84,
            always_valid_p_value=0.00001 if mismatch else 1.0,
            mismatch=mismatch,
        ),
        plan=Plan(effect=0.05, power=0.8, users_needed=14_200, days_left=6.4),
        looks=looks,
    )


def store_results(found: ExperimentResults) -> None:
    """Store results as the analysis does."""
    pk, sk = keys.experiment_key(found.experiment)
    item = {"pk": {"S": pk}, "sk": {"S": sk}, "data": {"B": encode_results(found)}}
    boto3.client("dynamodb").put_item(TableName=TABLE, Item=item)


def _analyze(now: datetime) -> None:
    store_results(results(now))


def _watch() -> None:
    client = boto3.client("cloudwatch")
    alarms = {
        ALARM: f"Fewer people click on what model shows them on home. {RUNBOOK}",
        f"attune-test-{ERRORS}": "Pages fail to load. docs/runbooks/server-errors.md",
        f"attune-test-{BEHIND}": f"Profiles are a minute behind. {HOSTILE}",
        f"attune-other-{ERRORS}": "Of another environment.",
    }
    for name, description in alarms.items():
        client.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=description,
            Namespace=NAMESPACE,
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=["arn:aws:sns:us-east-1:000000000000:alerts"],
        )
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="Within bounds.")


def main() -> None:
    """Serve the console until interrupted."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_REGION="us-east-1",
    )
    with running_site() as site:
        site.set_alarm(ALARM, "ALARM", "Threshold Crossed: 0.42 was less than 1.0.")
        os.write(1, f"{site.url}\n".encode())
        input()


if __name__ == "__main__":
    main()
