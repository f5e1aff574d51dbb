"""The report of a training run, as JSON for machines and as one self-contained page for people."""

from html import escape
from pathlib import Path
from typing import Any

import msgspec

from training.dataset import Dataset
from training.evaluation import Evaluation

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1f }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .35rem .9rem; border-bottom: 1px solid #ddd }
td { font-variant-numeric: tabular-nums; text-align: right } th, td:first-child { text-align: left }
rect { fill: #3b5bdb } text { font: 13px system-ui, sans-serif; fill: #1b1b1f } polyline { stroke: #3b5bdb }
"""


def save_report(evaluation: Evaluation, training: bytes, dataset: Dataset, folder: Path) -> None:
    """Write `report.json` and `report.html`; equal runs are equal bytes."""
    report = {
        "events": dataset.log.events,
        "acts": len(dataset.log.acts),
        "users": len(dataset.log.users),
        "items": len(dataset.log.items),
        "protocol": "leave-last-out: each user's newest new item is held out; ties go to the item earlier in "
        "the catalogue, whose order has no meaning; items the user acted on before are left out",
        "evaluation": msgspec.to_builtins(evaluation, str_keys=True),
        "training": msgspec.json.decode(training),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    (folder / "report.html").write_text(_page(report))


def read_evaluation(folder: Path) -> Evaluation:
    """Read the evaluation out of a report that `save_report` wrote."""
    report = msgspec.json.decode((folder / "report.json").read_bytes())
    return msgspec.convert(report["evaluation"], Evaluation, strict=False)


def _page(report: dict[str, Any]) -> str:
    evaluation, training = report["evaluation"], report["training"]
    rows = [
        [method, *(f"{scores[name][k]:.4f}" for name, k in _COLUMNS)]
        for method, scores in evaluation["methods"].items()
    ]
    importance = dict(list(training["importance"].items())[:15])
    sections = [
        f"<p>{report['events']:,} events, {report['users']:,} users, {report['items']:,} items. "
        f"{evaluation['users']:,} users evaluated. Protocol: {escape(report['protocol'])}.</p>",
        "<h2>Held-out quality</h2>",
        _table(["method", *(f"{name} @{k}" for name, k in _COLUMNS)], rows),
        "<h2>What the model has more than its rivals (NDCG@10, paired bootstrap)</h2>",
        _table(
            ["rival", "mean", "95% from", "to"],
            [
                [rival, *(f"{row[part]:+.4f}" for part in ("mean", "low", "high"))]
                for rival, row in evaluation["differences"].items()
            ],
        ),
        "<h2>Which source offers the item</h2>",
        _bars(evaluation["recall_by_source"], "{:.1%}"),
        "<h2>What the ranker looks at (gain)</h2>",
        _bars(importance, "{:,.0f}"),
        "<h2>Learning curve: validation NDCG@10 by tree</h2>",
        _curve(training["validation_ndcg_at_10"]),
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Attune: training report</title>"
        f"<style>{_STYLE}</style><h1>Training report</h1>{''.join(sections)}</html>\n"
    )


_COLUMNS = (("ndcg", "10"), ("hit_rate", "10"), ("mrr", "10"), ("ndcg", "20"), ("hit_rate", "20"))


def _table(head: list[str], rows: list[list[str]]) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{header}</tr>{body}</table>"


def _bars(values: dict[str, float], form: str) -> str:
    top = max(values.values(), default=0) or 1
    bars = "".join(
        f'<text x="0" y="{22 * place + 15}">{escape(name)}</text>'
        f'<rect x="190" y="{22 * place + 3}" width="{400 * value / top:.1f}" height="15"/>'
        f'<text x="{198 + 400 * value / top:.1f}" y="{22 * place + 15}">{form.format(value)}</text>'
        for place, (name, value) in enumerate(values.items())
    )
    return f'<svg role="img" width="700" height="{22 * len(values) + 6}">{bars}</svg>'


def _curve(values: list[float]) -> str:
    low, high = min(values, default=0), max(values, default=1)
    step, scale = 680 / max(len(values) - 1, 1), 150 / ((high - low) or 1)
    points = " ".join(
        f"{place * step:.1f},{160 - (value - low) * scale:.1f}" for place, value in enumerate(values)
    )
    return (
        f'<svg role="img" width="700" height="190"><polyline fill="none" points="{points}"/>'
        f'<text x="0" y="182">{low:.4f} to {high:.4f}, {len(values)} trees</text></svg>'
    )
