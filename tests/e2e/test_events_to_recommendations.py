"""Follows events to recommendations on the deployed platform: a small shop, trained and served for real."""

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from e2e.waiting import eventually
from infrastructure.local.analysis import analyze
from infrastructure.local.demo.books import Ledger
from infrastructure.local.demo.client import ApiClient
from infrastructure.local.demo.history import import_history
from infrastructure.local.demo.shops import SyntheticShop
from infrastructure.local.demo.showcase import click_and_wait
from infrastructure.local.demo.training_run import run_training
from infrastructure.local.demo.visits import SLATE, Visitors
from infrastructure.local.lifecycle import LocalAws
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore
from personalization.exposures import read_exposures
from personalization.ports import ActiveModel
from personalization.tokens import tail

USERS, ITEMS, DAYS = 300, 150, 20
VISITORS = 24
FALLBACKS = {"segment", "trending", "popular"}
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
Json = dict[str, Any]


@dataclass(frozen=True)
class TrainedShop:
    aws: LocalAws
    data: SyntheticShop
    client: ApiClient
    ledger: Ledger
    users: Iterator[str]
    """Users with history, each handed out once, so that tests don't meet in one user."""

    def active(self) -> ActiveModel | None:
        store = DynamoListStore(self.aws.client("dynamodb"), self.aws.output("TableName"))
        return store.read([keys.ACTIVE_MODEL]).active

    def list_of(self, user_id: str) -> list[str]:
        answer = eventually(
            lambda: self.client.recommendations(user_id), lambda found: found["source"] == "list"
        )
        return item_ids(answer)


@pytest.fixture(scope="module")
def shop(platform: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    work, now = tmp_path_factory.mktemp("shop"), datetime.now(UTC)
    data = SyntheticShop.open(work, now, users=USERS, items=ITEMS, days=DAYS)
    import_history(platform, data.log.history, data.items, work, ends_at=now)
    run_training(platform, lambda _: None)
    seen = {row.get("user_id") for row in data.log.history}
    users = (user for user in data.shop.user_ids if user in seen)
    since = datetime.now(UTC).replace(second=0, microsecond=0)
    return TrainedShop(platform, data, ApiClient(platform.api_url), Ledger(platform, since), users)


def item_ids(answer: Json) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def act(user_id: str, event_type: str, item_id: str, **more: Any) -> Json:
    happened = datetime.now(UTC).isoformat()
    event = {"event_id": uuid4().hex, "event_type": event_type, "user_id": user_id, "item_id": item_id}
    return {**event, "occurred_at": happened, **more}


def test_impressions_and_clicks_are_counted_for_the_variant_that_was_shown(shop: TrainedShop) -> None:
    def counts() -> dict[str, Counter[str]]:
        rows = shop.ledger.click_rates()
        return {variant: Counter(shown=shown, clicked=clicked) for _, _, variant, shown, clicked in rows}

    def news() -> dict[str, Counter[str]]:
        return {variant: found - before.get(variant, Counter()) for variant, found in counts().items()}

    def total(found: dict[str, Counter[str]]) -> Counter[str]:
        return sum(found.values(), Counter())

    before = counts()
    always_the_first = Visitors(shop.client, lambda _user, _item, place: float(place == 0), seed=1)
    always_the_first.visit([next(shop.users) for _ in range(VISITORS)], lambda: None)
    expected = Counter(shown=VISITORS * SLATE, clicked=VISITORS)
    added = eventually(news, lambda found: total(found) >= expected)
    assert total(added) == expected
    assert added.keys() == {"model", "covisitation"}
    assert all(found["shown"] == found["clicked"] * SLATE > 0 for found in added.values())


def test_an_experiment_is_analyzed_from_what_its_users_were_shown_and_did(shop: TrainedShop) -> None:
    always_the_first = Visitors(shop.client, lambda _user, _item, place: float(place == 0), seed=2)
    always_the_first.visit([next(shop.users) for _ in range(VISITORS)], lambda: None)

    def results() -> Json:
        assert [one["experiment"] for one in analyze(shop.aws)] == ["home-ranking"]
        return shop.client.experiment("home-ranking")

    def clicks(found: Json) -> int:
        return sum(variant["clicks"] for variant in found["variants"])

    found = eventually(results, lambda found: clicks(found) >= VISITORS)
    assert found["users"] >= VISITORS
    assert found["crossed_over"] == 0
    assert found["decision"] in ("keep_running", "ship")
    assert sum(variant["impressions"] for variant in found["variants"]) == clicks(found) * SLATE


def test_every_answer_leaves_one_exposure_in_the_lake(shop: TrainedShop) -> None:
    answers = [shop.client.recommendations(next(shop.users)) for _ in range(5)]
    s3, bucket = shop.aws.client("s3"), shop.aws.output("LakeBucketName")

    def exposures() -> Counter[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=keys.EXPOSURES).get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read() for row in found]
        lines = (line for body in bodies for line in gzip.decompress(body).splitlines())
        return Counter(exposure.receipt for exposure in read_exposures(lines))

    given = {tail(answer["recommendation_id"]) for answer in answers}
    found = eventually(exposures, lambda found: found.keys() >= given)
    assert {found[receipt] for receipt in given} == {1}


def test_the_lake_has_its_tables_for_analysts(shop: TrainedShop) -> None:
    glue = shop.aws.client("glue")
    tables = glue.get_tables(DatabaseName=shop.aws.output("AnalyticsDatabase"))["TableList"]
    assert {table["Name"] for table in tables} == {"events", "exposures", "experiment_results"}
    assert all(table["Parameters"]["projection.enabled"] == "true" for table in tables)


def test_a_click_changes_the_list_of_a_known_user(shop: TrainedShop) -> None:
    user = next(shop.users)
    before = shop.list_of(user)
    change = click_and_wait(shop.client, user)
    assert change, "the list did not change in time"
    assert change.before == before
    answer = shop.client.recommendations(user)
    assert answer["source"] == "list"
    assert item_ids(answer) == change.after


def test_a_brand_new_user_gets_a_fallback_that_the_answer_names(shop: TrainedShop) -> None:
    answer = shop.client.recommendations("somebody-new", country="DE", device="mobile")
    assert answer["source"] in FALLBACKS
    assert answer["label"]
    assert len(answer["items"]) > 0


def test_what_a_user_bought_is_not_recommended_again(shop: TrainedShop) -> None:
    user = next(shop.users)
    bought, *_ = shop.list_of(user)
    shop.client.send([act(user, "purchase", bought, value=9.5)])
    eventually(lambda: item_ids(shop.client.recommendations(user, limit=50)), lambda ids: bought not in ids)
    assert bought not in shop.list_of(user)


def test_an_item_that_is_not_available_is_out_of_all_answers_within_20_seconds(shop: TrainedShop) -> None:
    user = next(shop.users)
    gone, *_ = shop.list_of(user)
    (item,) = [item for item in shop.data.shop.catalogue() if item.item_id == gone]
    shop.client.put_items([{**msgspec.to_builtins(item), "available": False}])

    def recommended() -> set[str]:
        own, shared = shop.client.recommendations(user, limit=50), shop.client.trending(50)
        return {*item_ids(own), *item_ids(shared)}

    eventually(recommended, lambda ids: gone not in ids, seconds=20)


def test_every_event_that_was_sent_is_accounted_for(shop: TrainedShop) -> None:
    user = next(shop.users)
    item = shop.data.shop.item_ids[0]
    good = act(user, "view", item)
    long_ago = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    shop.client.send(
        [
            *(good, good),
            act(user, "view", item, occurred_at=long_ago),
            act("crawler", "view", item, context={"user_agent": CRAWLER}),
            act(user, "clikc", item),
            {"event_type": "click"},
        ]
    )
    counted = shop.client.books
    books = shop.ledger.close(
        sent=counted["sent"], accepted=counted["accepted"], rejected=counted["rejected"]
    )
    assert books.balanced, books
    assert books.rejected == 2
    assert books.fates["duplicate"] == 1
    assert books.fates["filtered"] == 2
    assert books.fates["quarantined"] == 0


def test_another_training_does_what_the_gate_says(shop: TrainedShop) -> None:
    """With so few users a second model may really be worse; then the first one must stay."""
    user = next(shop.users)
    before = shop.active()
    assert before
    run = run_training(shop.aws, lambda _: None)
    after = shop.active()
    assert after
    if run.verdict["publish"]:
        assert (after.version, after.previous) == (run.run_id, before.version)
    else:
        assert after == before
        assert run.verdict["reasons"]
    eventually(lambda: shop.client.recommendations(user)["model_version"], lambda v: v == after.version)
