"""The console of a deployed platform, in a browser."""

from types import SimpleNamespace

import pytest

from browser import chromium, needs_chromium
from console_tab import Console
from infrastructure.local import cli
from infrastructure.local.lifecycle import LocalAws


@needs_chromium
def test_the_deployed_console_shows_the_deployed_alarms_and_experiments(platform: LocalAws) -> None:
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = platform.client("cloudwatch").describe_alarms(AlarmTypes=kinds)
    deployed = [*found["MetricAlarms"], *found["CompositeAlarms"]]
    with chromium() as browser:
        console = Console(browser, SimpleNamespace(url=platform.console_url))
        shown = console.open("Alarms")
        assert console.page.locator(".alarm").count() == len(deployed) > 5
        assert "Server errors" in shown
        assert "home-ranking on home" in console.open("Clicks")
        assert "Takes part in home-ranking as" in console.look_up("somebody-new")
        assert "This environment is open" in console.page.inner_text("header")
        assert console.complaints == []
        assert console.elsewhere == []


def test_the_address_of_the_console_is_printed(
    platform: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["console", "--port", str(platform.layout.port)]) == 0
    assert capsys.readouterr().out.strip() == platform.console_url
    assert cli.main(["status", "--port", str(platform.layout.port)]) == 0
    assert platform.console_url in capsys.readouterr().out
