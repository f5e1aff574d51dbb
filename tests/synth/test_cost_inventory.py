"""The bill counts what is in the templates of every environment."""

import re
from pathlib import Path

from infrastructure.capacity.page import PAGE, render
from infrastructure.cost.inventory import inventory_of
from infrastructure.cost.traffic import Traffic
from infrastructure.environments import PROD, environment_named
from tests.synth.assembly import Assembly


def test_what_is_billed_by_being_there_is_counted(assembly: Assembly) -> None:
    found = inventory_of(resource.body for resource in assembly.resources)
    environment = environment_named(assembly.resources[0].stack.split("-")[1])
    assert found.shards == environment.stream.shards
    assert found.retention_hours == environment.stream.retention_hours
    assert found.fan_out_readers == environment.capabilities.enhanced_fan_out
    assert found.point_in_time_recovery == environment.point_in_time_recovery
    assert found.keys == environment.customer_managed_key
    assert found.alarms <= found.alarm_metrics
    assert {function.arm64 for function in found.functions.values()} == {
        environment.architecture.value == "arm64"
    }


def test_every_function_is_known_by_its_folder(dev: Assembly) -> None:
    found = inventory_of(resource.body for resource in dev.resources)
    folders = {path.parent.name for path in Path("functions").glob("*/handler.py")}
    assert found.functions.keys() <= folders
    assert {
        name for name in folders if not re.search("build_image|roll_back", name)
    } <= found.functions.keys()


def test_the_page_on_scale_is_what_the_model_says(prod: Assembly) -> None:
    there = inventory_of(resource.body for resource in prod.resources)
    written = render(there, PROD, Traffic(monthly_users=0))
    assert PAGE.read_text() == written, "run: python -m infrastructure.capacity"
