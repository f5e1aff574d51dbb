"""The platform, deployed for real into a local AWS: once for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.local.lifecycle import LocalAws, running

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One worker runs them all, so that the platform is deployed once. First, for xdist reads the groups in
    # the same hook, and sees none that are added after it.
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.local_aws)
            item.add_marker(pytest.mark.xdist_group("local_aws"))


@pytest.fixture(scope="session")
def platform() -> Iterator[LocalAws]:
    with running() as aws:
        yield aws
