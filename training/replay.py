"""A log of client events, folded into profiles on disk by the live reducer: no table, no stream, flat memory.

``python -m training.replay --events FILE... --output DIR``

The first pass deals the lines to files by user, looking at the user's id alone; the second reads one of these
shards at a time, checks each event as the API does, and folds it. An event counts as received when it
happened. Cost: linear in events; the second pass on every core. Disk: the log, unpacked. Memory: for each
process, the profiles of one shard's users, about 6 KB each while they are open.
"""

import argparse
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import batched, chain
from multiprocessing import get_context
from os import process_cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zlib import crc32

import msgspec
from crawleruseragents import is_crawler
from rich.console import Console
from rich.progress import track

from personalization.errors import InvalidEvent
from personalization.events import accept, decode_client_event
from personalization.identity import user_key
from personalization.ledger import SeenIds
from personalization.profile_encoding import encode
from personalization.profiles import Outcome, Profile, apply
from training.sources import lines_of

SHARDS: Final = 64
MAX_SHARDS: Final = 512
"""Files open at once; beyond 16 GB of packed log, memory grows."""
SHARD_BYTES: Final = 32 * 2**20
"""Of a shard's log, unpacked: about 20,000 users of a few events each."""
_PACKED: Final = 8
"""Times smaller than JSON lines are when they are gzipped."""
_LINES_A_WRITE: Final = 50_000


class ReplayedProfile(msgspec.Struct, array_like=True, frozen=True):
    """A user's profile as `profile_encoding` writes it, and the ids of the last events."""

    user_key: str
    data: bytes
    seen: bytes


@dataclass
class Report:
    """What became of the lines: read = rejected + applied + duplicate + filtered.

    Attributes
    ----------
    reasons
        Of the rejected, by code.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    users: int = 0
    profile_bytes: int = 0

    @property
    def read(self) -> int:
        """Lines read."""
        return self.outcomes.total()

    def add(self, other: "Report") -> None:
        """Count what another part did."""
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.users += other.users
        self.profile_bytes += other.profile_bytes


class _WhoseEvent(msgspec.Struct):
    user_id: str


_whose = msgspec.json.Decoder(_WhoseEvent)


def replay(
    lines: Iterable[bytes], output: Path, *, secret: bytes, processes: int = 1, shards: int = SHARDS
) -> Report:
    """Fold a log into `output/profiles.NNN.msgpack`; the same lines, the same bytes on any number of cores.

    Of a repeated event the first line counts; else the order of lines makes no difference.
    """
    output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output) as name:
        report = Report()
        _deal(lines, Path(name), shards)
        numbers = [f"{shard:03}" for shard in range(shards)]
        parts = [(Path(name) / number, output / f"profiles.{number}.msgpack") for number in numbers]
        for part in _mapped(partial(fold_shard, secret=secret), parts, processes):
            report.add(part)
    return report


def shards_for(files: Sequence[Path]) -> int:
    """Choose how many shards keep memory flat, by the size of the log."""
    size = sum(path.stat().st_size * (_PACKED if path.suffix == ".gz" else 1) for path in files)
    return min(max(SHARDS, size // SHARD_BYTES), MAX_SHARDS)


def read_profiles(folder: Path) -> Iterator[ReplayedProfile]:
    """Read what `replay` wrote, one shard at a time, users by key within each."""
    for path in sorted(folder.glob("profiles.*.msgpack")):
        yield from msgspec.msgpack.decode(path.read_bytes(), type=list[ReplayedProfile])


def _mapped(
    work: Callable[[tuple[Path, Path]], Report], parts: Sequence[tuple[Path, Path]], processes: int
) -> Iterator[Report]:
    if processes == 1:
        yield from map(work, parts)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, parts)


def _deal(lines: Iterable[bytes], folder: Path, shards: int) -> None:
    """Write each line to its user's shard; what names no user goes to the first, to be refused there."""
    waiting: list[list[bytes]] = [[] for _ in range(shards)]
    with ExitStack() as files:
        parts = [files.enter_context((folder / f"{shard:03}").open("wb")) for shard in range(shards)]
        for chunk in batched(lines, _LINES_A_WRITE, strict=False):
            for line in chunk:
                waiting[_shard_of(line, shards)].append(line if line.endswith(b"\n") else line + b"\n")
            for part, own in zip(parts, waiting, strict=True):
                part.writelines(own)
                own.clear()


def _shard_of(line: bytes, shards: int) -> int:
    try:
        return crc32(_whose.decode(line).user_id.encode()) % shards
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return 0


def fold_shard(part: tuple[Path, Path], *, secret: bytes) -> Report:
    """Fold one shard's lines, and write its users' profiles."""
    source, target = part
    report = Report()
    users: dict[str, tuple[Profile, SeenIds]] = {}
    # Nothing here refers to itself: looking for such rubbish again and again would double the time.
    gc.disable()
    with source.open("rb") as lines:
        _fold(lines, users, secret, report)
    rows = [ReplayedProfile(key, encode(users[key][0]), bytes(users[key][1])) for key in sorted(users)]
    gc.enable()
    target.write_bytes(msgspec.msgpack.encode(rows))
    report.users = len(rows)
    report.profile_bytes = sum(len(row.data) for row in rows)
    return report


def _fold(
    lines: Iterable[bytes], users: dict[str, tuple[Profile, SeenIds]], secret: bytes, report: Report
) -> None:
    key_of, is_bot = cache(partial(user_key, secret)), cache(is_crawler)
    outcomes: Counter[str] = Counter()
    for line in lines:
        try:
            sent = decode_client_event(line)
            event = accept(sent, user_key=key_of(sent.user_id), received_at=sent.occurred_at, is_bot=is_bot)
        except InvalidEvent as error:
            outcomes["rejected"] += 1
            report.reasons[error.code] += 1
            continue
        state = users.get(event.user_key)
        if state is None:
            state = users[event.user_key] = Profile(), SeenIds()
        outcome = apply(state[0], event) if state[1].add(event.event_id) else Outcome.DUPLICATE
        outcomes[outcome] += 1
    report.outcomes += outcomes


def main(argv: Sequence[str] | None = None) -> int:
    """Replay a log and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m training.replay", description=__doc__)
    parser.add_argument("--events", type=Path, nargs="+", required=True, help="JSONL, may be .gz")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--secret", default="", help="key of the pseudonyms; none for a log that stays here")
    parser.add_argument("--processes", type=int, default=process_cpu_count() or 1)
    arguments = parser.parse_args(argv)
    lines = chain.from_iterable(lines_of(path) for path in arguments.events)
    console = Console(stderr=True)
    report = replay(
        track(lines, "reading", console=console),
        arguments.output,
        secret=arguments.secret.encode(),
        processes=arguments.processes,
        shards=shards_for(arguments.events),
    )
    console.print(report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
