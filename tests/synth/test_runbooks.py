"""Runbooks: every alarm has its page, every page its alarm, and every command that a page names exists."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from infrastructure.constructs.layer_build import ROOT
from infrastructure.constructs.runbooks import FOLDER, REPOSITORY, described
from infrastructure.environments import ENVIRONMENTS, as_asked
from tests.synth.assembly import Assembly

INDEX = "README"
PAGES = {path.stem: path.read_text() for path in FOLDER.glob("*.md")}
OPERATIONS = FOLDER.parent / "operations.md"
WITHOUT_DESCRIPTION = {"budget", "table-lost"}
"""AWS Budgets sends a text of its own; a lost table is an outage, whose page leads on."""
OF_EVERY_COMMAND = {"query", "output", "max-items", "region", "profile"}
ALIASES = {"s3api": "s3", "deploy": "codedeploy"}
RENAMED = {"notification-endpoint": "endpoint"}
"""By the command line, where an option of its own has the name."""


def commands() -> Iterator[tuple[str, list[str]]]:
    for name, text in {**PAGES, "operations": OPERATIONS.read_text()}.items():
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            yield from ((name, shlex.split(line)) for line in block.splitlines() if line.strip())


COMMANDS = list(commands())


def linked(assembly: Assembly) -> set[str]:
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    found = set()
    for alarm in (alarm for kind in kinds for alarm in assembly.of_type(kind)):
        feel, _, address = alarm.properties["AlarmDescription"].rpartition(" ")
        assert re.fullmatch(r"[A-Z].*\.", feel), alarm.logical_id
        assert address.startswith(f"{REPOSITORY}/docs/runbooks/"), alarm.logical_id
        path = ROOT / address.removeprefix(f"{REPOSITORY}/")
        assert path.is_file(), alarm.logical_id
        found.add(path.stem)
    return found


def test_every_alarm_says_what_users_feel_and_where_its_page_is(assembly: Assembly) -> None:
    assert linked(assembly)


def test_every_page_has_its_alarm(synthesize: Callable[[str], Assembly]) -> None:
    used = set().union(*(linked(synthesize(name)) for name in ENVIRONMENTS))
    assert PAGES.keys() - {INDEX} == used | WITHOUT_DESCRIPTION


def test_an_alarm_without_a_page_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match=r"docs/runbooks/no-such-page\.md"):
        described("Users feel it.", "no-such-page")


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {INDEX}))
def test_a_page_tells_what_it_means_how_to_look_and_what_to_do(page: str) -> None:
    parts = [PAGES[page].find(part) for part in ("What it means.", "How to look.", "What to do.")]
    assert -1 < parts[0] < parts[1] < parts[2]


def test_the_links_of_operations_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", OPERATIONS.read_text()):
        assert (OPERATIONS.parent / target).is_file(), target


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        assert (FOLDER / target).is_file(), target


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda part: part if isinstance(part, str) else "")
def test_a_command_of_a_page_exists(page: str, words: list[str]) -> None:
    match words:
        case ["export", assignment]:
            assert re.fullmatch(r"[A-Z]+=.+", assignment)
        case ["git", "switch", "--detach", _] | ["aws", "s3", "rm", _, "--recursive"]:
            pass
        case ["aws", service, operation, *rest]:
            check_aws(service, operation, rest)
        case ["python", "-m", module, *rest]:
            source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
            assert 'if __name__ == "__main__"' in source
            for option in _options(rest):
                assert option == "help" or f'"--{option}"' in source, f"{page}: {module} has no --{option}"
        case ["npx", "cdk", "deploy" | "destroy" | "diff" | "import", *rest]:
            flags = dict(word.split("=", 1) for word in rest if "=" in word)
            assert as_asked(**flags)
        case ["make", target, *variables]:
            makefile = (ROOT / "Makefile").read_text()
            assert f"\n{target}:" in makefile
            assert all(f"$({variable.partition('=')[0]})" in makefile for variable in variables)
        case _:
            pytest.fail(f"{page}: {shlex.join(words)}")


def check_aws(service: str, operation: str, rest: list[str]) -> None:
    """The AWS command line is made from these very models."""
    try:
        model = botocore.session.get_session().get_service_model(ALIASES.get(service, service))
    except UnknownServiceError:
        pytest.fail(f"AWS has no service {service}")
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations, f"aws {service} has no {operation}"
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    given = {RENAMED.get(option, option).removeprefix("no-") for option in _options(rest)}
    assert given <= members.keys() | OF_EVERY_COMMAND, f"aws {service} {operation}: {given - members.keys()}"
    needed = {xform_name(name, "-") for name in shape.required_members}
    assert needed <= given, f"aws {service} {operation} needs {needed - given}"


def test_a_command_that_does_not_exist_is_found() -> None:
    for wrong in (("sqs", "redrive", []), ("sqs", "purge-queue", ["--url", "x"]), ("sqs", "purge-queue", [])):
        with pytest.raises(AssertionError):
            check_aws(*wrong)


def test_what_a_page_asks_to_fill_in_is_explained_or_made_by_a_command() -> None:
    explained = set(re.findall(r"`\$([A-Z_]+)`", PAGES[INDEX]))
    for name, text in PAGES.items():
        used = set(re.findall(r"\$([A-Z_]{2,})", text))
        assert used <= explained, f"{name}: {used - explained}"


def test_settings_that_a_page_names_exist() -> None:
    source = Path(ROOT, "infrastructure/fields.py").read_text()
    for name, text in PAGES.items():
        for setting in re.findall(r"`(?:stream|limits|training|click_rate_alarm)\.(\w+)`", text):
            assert f"    {setting}:" in source, f"{name}: {setting}"


def _options(words: list[str]) -> list[str]:
    return [word.removeprefix("--") for word in words if word.startswith("--")]
