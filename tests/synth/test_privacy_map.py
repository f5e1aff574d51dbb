"""`docs/privacy.md` knows every place where something about a person may be kept."""

import re
from pathlib import Path

from infrastructure.environments import PROD
from personalization import keys
from synth.assembly import Assembly
from synth.test_encryption import KEPT

TEXT = Path("docs/privacy.md").read_text()
ROWS = [
    (re.findall(r"`([^`]+)`", line.split("|")[1]), line)
    for line in TEXT.splitlines()
    if line.startswith("| `")
]
NAMED = {name for names, _ in ROWS for name in names}
NO_DATA = {"AWS::Athena::WorkGroup"}


def row(name: str) -> str:
    return next(line for names, line in ROWS if name in names)


def test_every_resource_that_keeps_data_has_a_row(assembly: Assembly) -> None:
    kinds = {*KEPT, "AWS::Cognito::UserPool"} - NO_DATA
    found = {re.sub(r"[0-9A-F]{8}$", "", row.logical_id) for row in assembly.resources if row.type in kinds}
    unknown = {name for name in found if name not in NAMED and not name.endswith("Logs")}
    assert unknown == set()


def test_every_prefix_has_a_row() -> None:
    prefixes = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and value.endswith("/")
    }
    assert prefixes - NAMED == set()


def test_every_kind_of_record_has_a_row() -> None:
    table = re.findall(r"^\| ([A-Z]+\S*) +\| ([A-Z]+\S*) +\|", keys.__doc__ or "", re.M)
    assert len(table) >= 8
    assert {f"{pk} / {sk}" for pk, sk in table} - NAMED == set()


def test_the_periods_are_those_of_prod() -> None:
    periods = PROD.retention
    for name, days in (
        ("events/", periods.events),
        ("exposures/", periods.exposures),
        ("quarantine/", periods.quarantine),
        ("experiments/state/", periods.experiment_states),
        ("Lake", periods.replaced_objects),
        ("Logs", PROD.log_retention_days),
        ("Stream", PROD.stream.retention_hours // 24),
    ):
        assert f" {days} days" in row(name), name
    assert f"at least {PROD.fewest_users} distinct users" in row("SEGMENT#name / LIST#version")
