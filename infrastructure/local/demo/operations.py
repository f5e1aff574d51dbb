"""`make demo-operations`, the operator's show: refused models, cheap nights, rollback, alarm, erasure."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Table

from infrastructure.local import lifecycle
from infrastructure.local.demo.click_drop import ClickDrop, is_told
from infrastructure.local.demo.client import ApiClient
from infrastructure.local.demo.forgetting import Forgetting
from infrastructure.local.demo.history import import_history
from infrastructure.local.demo.logs import LiveEvent, Log
from infrastructure.local.demo.next_day import archive_day, midnight, setting
from infrastructure.local.demo.shops import SyntheticShop
from infrastructure.local.demo.training_run import TrainingRun, run_training
from infrastructure.local.errors import LocalAwsError
from infrastructure.local.lifecycle import DEFAULT_PORT, LocalAws

_PATIENCE_SECONDS: Final = 40.0
_STALE: Final = timedelta(days=10)
_MOMENT: Final = timedelta(seconds=1)
_console: Final = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the show; returns 0 only if each act went as announced."""
    port = int(os.environ.get("PORT") or DEFAULT_PORT)
    try:
        with TemporaryDirectory() as work, lifecycle.running(port, report=_console.print) as aws:
            good = Show(aws, Path(work)).run()
    except LocalAwsError as error:
        _console.print(str(error), style="red", markup=False)
        return 1
    return 0 if good else 1


class Show:
    """The acts, one after the other, on a deployed platform."""

    def __init__(self, aws: LocalAws, work: Path) -> None:
        self._aws = aws
        self._work = work
        self._client = ApiClient(aws.api_url)

    def run(self) -> bool:
        """Play every act; tell whether all went as announced."""
        now = datetime.now(UTC)
        shop = SyntheticShop.open(self._work, now)
        import_history(self._aws, shop.log.history, shop.items, self._work, ends_at=midnight(now) - _MOMENT)
        first = self._train("A first model passes the gate and is published")
        second = self._train("Another night, another model")
        good = first.verdict["publish"] and second.verdict["publish"]
        good &= self._in_service(second.run_id)
        careless = {"hyperparameters": {"trees": 1}}
        refused = self._train("A careless setting: a model of one tree", careless)
        good &= not refused.verdict["publish"]
        good &= self._in_service(second.run_id)
        self._operate("training.rollback")
        good &= self._in_service(first.run_id)
        good &= self._nights(shop.log.live, now)
        later = {"now": (now + _STALE).isoformat()}
        dry = self._train("No events for days: the source has dried up", later)
        good &= not dry.soundness["train"]
        good &= self._clicks_stop()
        good &= self._forget(_of_the_past(shop.log), now)
        self._operate("training.models", "--bucket", self._aws.output("ModelBucketName"))
        _console.print("all as announced" if good else "[red]something went otherwise")
        return bool(good)

    def _nights(self, live: Sequence[LiveEvent], now: datetime) -> bool:
        """Run the two nights to come: the first reads the whole lake, the second its own day."""
        three = timedelta(hours=3)
        one = self._train("Tomorrow night: a snapshot is left", setting(midnight(now, days=1) + three))
        objects = archive_day(self._aws, live, starts=midnight(now, days=1))
        two = self._train("The night after: only its day is read", setting(midnight(now, days=2) + three))
        table = Table("night", "began with the snapshot of", "objects of the lake", "bytes of the lake")
        for name, run in (("tomorrow", one), ("the one after", two)):
            fetched = run.fetched
            row = (str(fetched["through"] or "none"), f"{fetched['objects']:,}", f"{fetched['bytes']:,}")
            table.add_row(name, *row)
        _console.print(table)
        snapshot = str(midnight(now).date())
        sound = one.soundness["train"] and two.soundness["train"]
        return bool(sound and two.fetched["through"] == snapshot and two.fetched["objects"] == objects)

    def _clicks_stop(self) -> bool:
        """Let visitors stop clicking; show what on-call would be told."""
        with _console.status("Visitors stop clicking"):
            ringing = ClickDrop(self._aws, self._client).play()
        paged = is_told(ringing)
        title = "Visitors stop clicking: " + ("[green]on-call is paged" if paged else "[red]nobody is told")
        table = Table("alarm", "what users feel", "reason", title=title)
        for alarm in ringing:
            table.add_row(alarm.title, alarm.feel, alarm.reason)
        _console.print(table)
        for page in sorted({alarm.runbook for alarm in ringing}):
            _console.print(f"what to do: {page}")
        shown = {row["name"] for row in self._client.alarms() if row["state"] == "ALARM"}
        on_page = shown >= {alarm.name for alarm in ringing}
        words = f"shown in the console, {self._aws.console_url}#alarms"
        _console.print(words if on_page else "[red]the console does not show all of them")
        return paged and on_page

    def _forget(self, user_id: str, now: datetime) -> bool:
        """Have somebody forgotten, and the night after not bring them back."""
        person = Forgetting(self._aws, self._client, user_id)
        with _console.status("Somebody asks to be forgotten"):
            person.prepare()
            done = person.forget()
        took = f"[green]forgotten in {done.seconds:.0f} seconds"
        title = f"Somebody asks to be forgotten: {took if done.as_announced else '[red]not forgotten'}"
        table = Table("store", "looked through", "changed", "of the person", "left for a night", title=title)
        for row in done.receipt["stores"]:
            counts = (row[name] for name in ("objects", "changed", "removed", "left"))
            table.add_row(row["store"], *(f"{count:,}" for count in counts))
        _console.print(table)
        for kept in done.receipt["expires"]:
            _console.print(f"{kept['what']}: gone by {kept['at'][:10]}", markup=False)
        _console.print(f"what a night may need goes after {done.receipt['repeats_after'][:16]}", markup=False)
        _console.print(f"mentioned before: {_places(done.before)}; after: {_places(done.after)}")
        three = timedelta(hours=3)
        night = self._train("The night after", setting(midnight(now, days=2) + three))
        back = person.traces()
        _console.print(f"mentioned after the next night: {_places(back)}")
        return bool(done.as_announced and night.soundness["train"] and back == done.after)

    def _train(self, title: str, settings: Mapping[str, object] | None = None) -> TrainingRun:
        with _console.status(title):
            run = run_training(self._aws, lambda _: None, settings=settings)
        verdict = "[green]published" if run.verdict["publish"] else "[yellow]refused"
        if not run.soundness["train"]:
            verdict = "[yellow]stopped by its data"
        checks = run.verdict["checks"] if run.soundness["train"] else run.soundness["checks"]
        table = Table("check", "", "what was seen", title=f"{title}: {verdict}")
        for check in checks:
            table.add_row(check["name"], "[green]yes" if check["passed"] else "[red]no", check["detail"])
        _console.print(table)
        return run

    def _operate(self, module: str, *options: str) -> None:
        """Do what an operator would: run one of the project's own commands."""
        command = [sys.executable, "-m", module, "--table", self._aws.output("TableName"), *options]
        subprocess.run(command, check=True, env=os.environ | self._aws.environment)

    def _in_service(self, version: str) -> bool:
        """Wait until answers are of a version: every process reads the switch within 10 seconds."""
        found = _eventually(lambda: self._client.trending(1)["model_version"], version)
        _console.print(f"answers are of model {found}" + ("" if found == version else f", not {version}"))
        return found == version


def _of_the_past(log: Log) -> str:
    """Return somebody who does nothing on the days to come: that would be of a new life, and stay."""
    coming = {event.body.get("user_id") for event in log.live}
    return next(str(row["user_id"]) for row in log.history if row["user_id"] not in coming)


def _places(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(found.items())) or "nowhere"


def _eventually(probe: Callable[[], str], wanted: str) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := probe()) != wanted and time.monotonic() < deadline:
        time.sleep(1)
    return found


if __name__ == "__main__":
    sys.exit(main())
