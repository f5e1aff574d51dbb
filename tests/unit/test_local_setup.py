import re
import subprocess
from pathlib import Path

from infrastructure.local import stack
from infrastructure.local.openmp import with_plain_name

ROOT = Path(__file__).resolve().parents[2]


def test_the_openmp_library_gets_its_plain_name_without_changing_size() -> None:
    library = b"\x7fELF..\0libgomp-24e2ab19.so.1.0.0\0libm.so.6\0"
    renamed = with_plain_name(library)
    assert len(renamed) == len(library)
    assert b"\0libgomp.so.1\0" in renamed
    assert b"libm.so.6" in renamed
    assert b"24e2ab19" not in renamed


def test_an_aws_client_of_the_local_aws_can_reach_no_real_account() -> None:
    variables = stack.credentials(4566)
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert variables["AWS_ACCESS_KEY_ID"] == "000000000000"


def test_every_make_target_but_help_sets_the_environment_up_first() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = dict(re.findall(r"^([a-z]+): (\S+)", makefile, flags=re.MULTILINE))
    assert targets.pop("setup").startswith("$(")
    targets.pop("help", None)
    assert set(targets.values()) == {"setup", "check"}


def test_the_targets_are_listed_by_default() -> None:
    command = ["make", "-C", str(ROOT)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    for target in ("setup", "demo", "up", "down", "test", "check", "format", "synth"):
        assert f"make {target} " in listed.stdout
