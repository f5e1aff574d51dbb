"""`python -m infrastructure.local.demo`: `DATA=folder` takes a real log, `KEEP=1` leaves the platform up."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import Progress

from infrastructure.local import lifecycle
from infrastructure.local.analysis import analyze_until
from infrastructure.local.demo import tables
from infrastructure.local.demo.books import Ledger
from infrastructure.local.demo.client import ApiClient
from infrastructure.local.demo.history import import_history
from infrastructure.local.demo.logs import LiveEvent
from infrastructure.local.demo.shops import DemoData, RealLog, SyntheticShop
from infrastructure.local.demo.showcase import Change, click_and_wait
from infrastructure.local.demo.training_run import TrainingError, TrainingRun, run_training
from infrastructure.local.demo.visits import Visitors
from infrastructure.local.errors import LocalAwsError
from infrastructure.local.lifecycle import DEFAULT_PORT, LocalAws
from personalization.adapters.dynamodb import DynamoExperimentStore
from personalization.identity import user_key
from training.experimentation.show import print_results

VISITS: Final = 400
BATCH: Final = 200
CHANGES: Final = 12
_console: Final = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; returns 0 only if the books balance and lists changed."""
    started = time.monotonic()
    port = int(os.environ.get("PORT") or DEFAULT_PORT)
    keep = bool(os.environ.get("KEEP"))
    folder = os.environ.get("DATA")
    if folder and not (Path(folder) / "events.jsonl.gz").is_file():
        _console.print(f"{folder} holds no events.jsonl.gz", style="red")
        return 2
    try:
        with TemporaryDirectory() as work, lifecycle.running(port, keep=keep, report=_say) as aws:
            data = RealLog.open(Path(folder)) if folder else SyntheticShop.open(Path(work), _now())
            good = Demo(aws, data, Path(work)).run()
            if keep:
                _console.print(f"The platform stays up: {aws.api_url}. End it with: make down PORT={port}")
                _console.print(f"See it in a browser: {aws.console_url}")
    except (LocalAwsError, TrainingError) as error:
        _console.print(str(error), style="red", markup=False)
        return 1
    _console.print(f"{(time.monotonic() - started) / 60:.1f} minutes in all")
    return 0 if good else 1


class Demo:
    """The demo on a deployed platform, step by step."""

    def __init__(self, aws: LocalAws, data: DemoData, work: Path) -> None:
        self._aws = aws
        self._data = data
        self._work = work
        self._client = ApiClient(aws.api_url)
        self._since = _now().replace(second=0, microsecond=0)

    def run(self) -> bool:
        """Import, train, visit, replay, ask; print the tables; tell whether all is as it should be."""
        log = self._data.log
        _say(f"{len(log.history):,} events of history, {len(log.live):,} to be sent live")
        with _timed("history and catalogue imported"):
            import_history(self._aws, log.history, self._data.items, self._work, ends_at=_now())
        with _timed("model trained, evaluated, ranked, published"):
            run = run_training(self._aws, lambda state: _say(f"  {state}"))
        self._visit()
        self._replay(log.live)
        changes, tried = self._act()
        return self._conclude(run, changes, tried)

    def _visit(self) -> None:
        """Let users open the page: those who will act later first, for their clicks are known."""
        users = list(dict.fromkeys(_user_of(event) for event in self._data.log.live))
        chosen = [user for user in users if user][:VISITS]
        visitors = Visitors(self._client, self._data.likes, seed=1)
        with _bar("visits with clicks", len(chosen)) as advance:
            visitors.visit(chosen, lambda: advance(1))

    def _replay(self, live: Sequence[LiveEvent]) -> None:
        with _bar("live events sent", len(live)) as advance:
            for batch in batched(live, BATCH, strict=False):
                now = _now()
                self._client.send([event.sent_at(now) for event in batch])
                advance(len(batch))

    def _act(self) -> tuple[list[Change], int]:
        """Show a known user and a new one; then let users click and see their lists change."""
        users = self._known_users()[-CHANGES:]
        self._settle(users)
        answer = self._client.recommendations(users[0])
        title = f"{users[0]}, known ({answer['source']}): {answer['label']}"
        _console.print(tables.answer_table(title, answer))
        answer = self._client.recommendations("somebody-new", country="DE", device="mobile")
        title = f"somebody-new, never seen before ({answer['source']}): {answer['label']}"
        _console.print(tables.answer_table(title, answer))
        changes = [click_and_wait(self._client, user) for user in users]
        return [change for change in changes if change], len(changes)

    def _known_users(self) -> list[str]:
        """Users of both history and live events, in order of their first live event."""
        before = {row.get("user_id") for row in self._data.log.history}
        users = dict.fromkeys(_user_of(event) for event in self._data.log.live)
        return [user for user in users if user and user in before]

    def _settle(self, users: Sequence[str]) -> None:
        """Wait until the refreshes that the replay queued are done, so that one click is what is timed."""
        queue, url = self._aws.client("sqs"), self._aws.output("RefreshQueueUrl")
        waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        waiting.append("ApproximateNumberOfMessagesDelayed")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            depth = queue.get_queue_attributes(QueueUrl=url, AttributeNames=waiting)["Attributes"]
            sources = {self._client.recommendations(user)["source"] for user in users}
            if sources == {"list"} and not sum(map(int, depth.values())):
                return
            time.sleep(1)

    def _conclude(self, run: TrainingRun, changes: Sequence[Change], tried: int) -> bool:
        ledger = Ledger(self._aws, self._since)
        with _console.status("closing the books"):
            counted = self._client.books
            books = ledger.close(
                sent=counted["sent"], accepted=counted["accepted"], rejected=counted["rejected"]
            )
        references = self._data.reference_quality(self._by_user(run.held_out))
        _console.print(tables.change_table(changes, tried))
        _console.print(tables.quality_table(run.report, references))
        _console.print(tables.click_rate_table(ledger.click_rates()))
        self._show_experiments()
        _console.print(tables.books_table(books, self._client.reasons))
        if len(changes) < tried:
            _say(f"{tried - len(changes)} of {tried} lists were not rebuilt after a click")
        return books.balanced and len(changes) == tried

    def _show_experiments(self) -> None:
        """Have the experiments analyzed, and show what they have come to; a demo's few users tell little."""
        with _console.status("analyzing the experiments"):
            counted = analyze_until(self._aws, users=1)
        store = DynamoExperimentStore(self._aws.client("dynamodb"), self._aws.output("TableName"))
        for results in store.results(store.analyzed()) if counted else []:
            _console.print()
            print_results(results, _console)

    def _by_user(self, held_out: Mapping[str, str]) -> dict[str, str]:
        """Translate user keys into the user ids of the log: only who holds the secret can."""
        secret = self._aws.client("secretsmanager").get_secret_value(
            SecretId=self._aws.output("UserKeySecretArn")
        )["SecretString"]
        users = {_user_of(LiveEvent(row, None)) for row in self._data.log.history}
        by_key = {user_key(secret.encode(), user): user for user in users if user}
        return {by_key[key]: item for key, item in held_out.items() if key in by_key}


def _user_of(event: LiveEvent) -> str | None:
    user = event.body.get("user_id")
    return user if isinstance(user, str) and user else None


@contextmanager
def _timed(step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    _say(f"{step} ({time.monotonic() - started:.0f} s)")


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    with Progress(console=_console) as progress:
        task = progress.add_task(label, total=total)

        def advance(count: int) -> None:
            progress.advance(task, count)

        yield advance


def _say(line: str) -> None:
    _console.print(f"[dim]{_now():%H:%M:%S}[/dim] {line}")


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
