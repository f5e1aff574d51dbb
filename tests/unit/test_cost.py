"""The bill of a month: amounts by traffic, prices by the list, and clear words for nonsense."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cost_plans import FUNCTIONS, inventory, plan
from infrastructure.constructs import cost_graphs
from infrastructure.cost import __main__ as command
from infrastructure.cost.advice import alternatives, first_crossing
from infrastructure.cost.bill import bill, usages
from infrastructure.cost.errors import CostError, NonsenseTrafficError, PriceFileError
from infrastructure.cost.fast_loop import batches
from infrastructure.cost.inventory import inventory_of
from infrastructure.cost.personalize import requests_alone
from infrastructure.cost.prices import PRICES, read_prices
from infrastructure.cost.quantities import MEASURED
from infrastructure.cost.traffic import NIGHTS, SECONDS, Traffic
from infrastructure.cost.usage import Plan
from infrastructure.cost.warnings import warnings
from infrastructure.environments import DEV, PROD
from infrastructure.fields import Architecture, Environment
from personalization.metric_catalogue import DOLLARS_A_SERIES

PRICE_LIST = read_prices()


def dollars(of: Plan, service: str | None = None) -> float:
    found = bill(of, PRICE_LIST)
    return found.dollars if service is None else found.by_service()[service]


@pytest.mark.parametrize("environment", [DEV, PROD], ids=lambda one: one.name)
@pytest.mark.parametrize("users", [0, 1, 1_000, 2_000_000, 500_000_000])
def test_all_that_is_used_has_a_price_and_no_amount_is_negative(environment: Environment, users: int) -> None:
    for there in (inventory(), inventory(shards=3, fan_out_readers=0, distributions=0, web_acls=0, keys=0)):
        of = plan(users, environment, there)
        assert all(usage.amount >= 0 for usage in usages(of))
        lines = bill(of, PRICE_LIST).lines
        assert lines
        assert all(line.dollars >= 0 for line in lines)


def test_more_users_cost_more_and_nobody_costs_what_is_there_anyway() -> None:
    costs = [dollars(plan(users)) for users in (0, 1, 1_000, 100_000, 10_000_000)]
    assert costs == sorted(set(costs))
    assert 40 < costs[0] < 80


def test_writes_of_the_table_are_those_of_profiles_lists_and_items() -> None:
    of = plan(100_000)
    traffic = of.traffic
    posts = traffic.events / traffic.events_per_post
    acting = posts * (1 - 0.8**traffic.events_per_post)
    expected = (
        posts * MEASURED.fold_write_units
        + acting * traffic.surfaces * MEASURED.refresh_write_units
        + 100_000 * traffic.surfaces * NIGHTS * MEASURED.list_write_units
        + traffic.items / 10 * NIGHTS * MEASURED.item_write_units
    )
    written = sum(usage.amount for usage in usages(of) if usage.price == "table_write_unit")
    assert written == pytest.approx(expected)


def test_a_price_that_falls_by_tier_is_shared_by_all_that_use_it() -> None:
    many = plan(20_000_000)
    requests = many.traffic.requests + many.traffic.posts + many.traffic.changed_items / 50
    assert dollars(many, "API Gateway") == pytest.approx(300 + (requests - 3e8) * 0.9e-6)


def test_what_is_free_every_month_is_left_out_when_asked() -> None:
    of = plan(1_000)
    free = bill(of, PRICE_LIST, free_tier=True)
    assert free.dollars < bill(of, PRICE_LIST).dollars
    assert "Step Functions" not in {line.service for line in free.lines if line.dollars > 0}


def test_posts_are_at_least_one_a_session() -> None:
    few = Traffic(monthly_users=10, events_per_user=8, sessions_per_user=4, events_per_post=100)
    assert few.posts == 40
    assert Traffic(monthly_users=10, events_per_user=0).posts == 0


@pytest.mark.parametrize(
    ("rate", "window", "lanes"), [(0.2, 0.0, 1), (3.0, 1.0, 1), (40.0, 1.0, 4), (1.0, 5.0, 4)]
)
def test_batches_are_as_many_as_arrivals_by_chance_make(rate: float, window: float, lanes: int) -> None:
    chance = np.random.default_rng(7)
    hours = 20_000
    made = 0
    for _ in range(lanes):
        arrivals = np.cumsum(chance.exponential(lanes / rate, size=int(hours * rate / lanes)))
        opened = -np.inf
        for at in arrivals:
            if at > opened + window:
                opened = at
                made += 1
    expected = batches(rate * SECONDS, rate * SECONDS, lanes=lanes, window=window, size=500)
    assert made / hours == pytest.approx(expected / SECONDS, rel=0.03)


def test_full_batches_do_not_wait() -> None:
    assert batches(SECONDS * 1e4, SECONDS * 1e4, lanes=1, window=1.0, size=500) == pytest.approx(SECONDS * 20)


def test_the_cheaper_mode_of_the_stream_changes_with_traffic_where_the_advice_says() -> None:
    (stream,) = [one for one in alternatives(plan(1_000_000), PRICE_LIST) if one.choice == "stream"]
    users = int(stream.break_even.split()[1].replace(",", ""))
    signs = []
    for factor in (0.5, 2.0):
        (at,) = [one for one in alternatives(plan(int(users * factor)), PRICE_LIST) if one.choice == "stream"]
        signs.append(at.now_dollars < at.other_dollars)
    assert signs == [True, False]


def test_a_difference_that_never_changes_its_sign_has_no_break_even() -> None:
    assert first_crossing(lambda users: 1.0) is None
    assert first_crossing(lambda users: users - 1_000) == pytest.approx(1_001, rel=2e-3)


def test_arm64_is_a_fifth_cheaper_for_the_same_time() -> None:
    (found,) = [one for one in alternatives(plan(1_000_000), PRICE_LIST) if one.choice == "architecture"]
    assert found.now == Architecture.ARM64
    assert found.now_dollars < found.other_dollars < found.now_dollars / 0.79


def test_personalize_is_priced_by_request() -> None:
    assert requests_alone(plan(1_000_000).traffic, PRICE_LIST) == pytest.approx(20_000_000 * 0.15 / 1_000)


def test_a_plan_that_an_environment_can_not_carry_is_told() -> None:
    provisioned = inventory(shards=1)
    found = "\n".join(warnings(plan(20_000_000, DEV, provisioned), 51.0))
    assert "raise `throttle`" in found
    assert "raise `stream.shards`" in found
    assert "engine lambda refuses this night" in found
    assert "the budget alarm rings at $50" in found
    assert list(warnings(plan(1_000, DEV, provisioned), 49.0)) == []
    assert "rank takes" in "\n".join(warnings(plan(100_000_000), 0.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"monthly_users": -1},
        {"monthly_users": 9_000_000_000},
        {"events_per_user": float("nan")},
        {"events_per_post": 0},
        {"events_per_post": 501},
        {"deliberate_share": 1.5},
        {"active_share": 0.0},
        {"peak_factor": 0.5},
        {"surfaces": 0},
        {"history_months": float("inf")},
    ],
)
def test_nonsense_is_refused_by_the_option_that_it_came_in(changes: dict[str, float]) -> None:
    (name,) = changes
    with pytest.raises(NonsenseTrafficError, match="--" + name.replace("_", "-")):
        Traffic(**{"monthly_users": 1, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not a price list"),
        ("{}", "is not a price list"),
        ("date: soon\nregion: r\nprices: {}\npersonalize: {}", "is not a date"),
        (
            "date: 2026-01-01\nregion: r\nprices: {x: {unit: u, dollars: 1}}\npersonalize: {}",
            "source is missing",
        ),
        (
            "date: 2026-01-01\nregion: r\nprices: {x: {unit: u, dollars: -1, source: s}}\npersonalize: {}",
            "not a positive number",
        ),
        (
            "date: 2026-01-01\nregion: r\nprices: {x: {unit: u, tiers: [[5, 1]], source: s}}",
            "tiers must rise",
        ),
    ],
)
def test_a_price_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(PriceFileError, match=said):
        read_prices(tmp_path / "prices.yaml")
    with pytest.raises(PriceFileError, match="no price is known for gold"):
        PRICE_LIST["gold"]


def test_every_price_names_a_page_of_aws() -> None:
    listed = [*PRICE_LIST.prices.values(), *PRICE_LIST.personalize.values()]
    assert all(price.source.startswith("https://aws.amazon.com/") for price in listed)


def test_dashboard_catalogue_and_price_list_know_the_same_prices() -> None:
    stated = {
        "api_request": cost_graphs.API_REQUEST,
        "lambda_request": cost_graphs.INVOCATION,
        "lambda_gb_second_arm64": cost_graphs.GB_SECOND[Architecture.ARM64],
        "lambda_gb_second_x86_64": cost_graphs.GB_SECOND[Architecture.X86_64],
        "table_read_unit": cost_graphs.READ_UNIT,
        "table_write_unit": cost_graphs.WRITE_UNIT,
        "stream_shard_hour": cost_graphs.SHARD_HOUR,
        "stream_put_unit": cost_graphs.PUT_UNIT,
        "stream_on_demand_hour": cost_graphs.ON_DEMAND_HOUR,
        "stream_on_demand_in_gb": cost_graphs.ON_DEMAND_GB,
        "log_gb": cost_graphs.LOG_GB,
        "metric": DOLLARS_A_SERIES,
    }
    assert {name: PRICE_LIST[name].first for name in stated} == pytest.approx(stated)


def test_other_templates_are_refused() -> None:
    with pytest.raises(CostError, match="not Attune's templates"):
        inventory_of([{"Type": "AWS::S3::Bucket"}])


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"MemorySize": 512, "Architectures": ["arm64"]},
    }
    resources = {
        name: {
            **function,
            "Properties": function["Properties"] | {"Handler": f"functions.{name}.handler.handler"},
        }  # type: ignore[operator]
        for name in FUNCTIONS
    }
    resources["stream"] = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}
    resources["table"] = {"Type": "AWS::DynamoDB::Table"}
    (tmp_path / "a.template.json").write_text(json.dumps({"Resources": resources}))
    return tmp_path


def test_the_command_answers_in_tables_and_in_json(
    templates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--monthly-users", "2000000", "--templates", str(templates)]
    assert command.main(asked) == 0
    shown = capsys.readouterr().out
    assert "DynamoDB" in shown
    assert "Personalize" in shown
    assert "alternatives" in shown
    assert command.main([*asked, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sum(answer["services"].values()) == pytest.approx(answer["dollars_a_month"])
    assert sum(line["dollars"] for line in answer["lines"]) == pytest.approx(answer["dollars_a_month"])
    assert answer["dollars_a_thousand_recommendations"] == pytest.approx(answer["dollars_a_month"] / 40_000)
    assert command.main([*asked, "--lines"]) == 0
    assert capsys.readouterr().out.count("DynamoDB") > 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--monthly-users", "-1"], "--monthly-users"),
        (["--monthly-users", "1", "--region", "eu-west-1"], "prices.yaml is of us-east-1"),
        (["--monthly-users", "1", "--prices", "/nowhere.yaml"], "nowhere.yaml"),
        (["--monthly-users", "1", "--templates", "/nowhere"], "not Attune's templates"),
    ],
)
def test_a_question_without_an_answer_is_told_why(
    more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(more) == 2
    assert said in capsys.readouterr().err.replace("\n", "")


def test_the_list_is_in_the_package() -> None:
    assert PRICES.exists()
    assert replace(plan(1).traffic, monthly_users=2).events == 120
