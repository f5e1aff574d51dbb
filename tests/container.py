"""Runs the containers' entry point as a process, over folders laid out as SageMaker lays out /opt/ml."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from personalization.archiving import LakeLine, pack
from personalization.errors import InvalidInput
from personalization.events import accept, decode_client_event, encode_event, upsert_item
from training.shop import Shop
from training.synthetic import simulate

END = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def start(root: Path, step: str, *options: str) -> subprocess.Popen:
    """Start a container's process; it writes where SageMaker's would, below `root`."""
    command = [sys.executable, "-m", "training.jobs", step, "--root", str(root), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(root: Path, step: str, *options: str) -> tuple[int, str]:
    """Run a step to its end; return its exit code and what it printed."""
    process = start(root, step, *options)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def of_this_night(*options: str) -> Sequence[str]:
    """Options of a run that ends with the shop's log."""
    return ["--now", END.isoformat(), "--threads", "1", *options]


def write_shop_lake(folder: Path, *, users: int = 300, items: int = 120, days: int = 20) -> None:
    """Leave a synthetic shop's catalogue and log in a folder, as the event lake holds them."""
    shop = Shop.open(seed=4, users=users, items=items)
    upserts = (upsert_item(item, event_id=item.item_id, received_at=END) for item in shop.catalogue())
    lines = [LakeLine(item.event_id, END, msgspec.Raw(encode_event(item))) for item in upserts]
    for number, line in enumerate(simulate(shop, days=days, seed=4, end=END)):
        try:
            sent = decode_client_event(line)
            event = accept(sent, user_key=sent.user_id, received_at=sent.occurred_at)
        except InvalidInput:
            continue
        lines.append(LakeLine(f"event-{number}", END, msgspec.Raw(encode_event(event))))
    folder.mkdir(parents=True)
    (folder / "0.jsonl.gz").write_bytes(pack(lines))


def link(source: Path, target: Path) -> None:
    """Let a folder be another's, as S3 would carry it from job to job."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def write_cluster(root: Path, hosts: Sequence[str], current: str) -> None:
    """Leave the file in which SageMaker names the hosts of a training job."""
    folder = root / "input" / "config"
    folder.mkdir(parents=True, exist_ok=True)
    config = {"current_host": current, "hosts": list(hosts), "network_interface_name": "lo"}
    (folder / "resourceconfig.json").write_text(json.dumps(config))
