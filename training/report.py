"""The report of a training run, as JSON for machines and as one self-contained page for people."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from training.audience import Audience
from training.calibration import Calibration
from training.calibration_report import calibration_section
from training.charts import POLICY, STYLE, Point, Whisker, bars, curve, glossary, plane, table, whiskers
from training.cold_report import cold_section
from training.data_checks import Soundness
from training.data_report import data_section
from training.dataset import Dataset
from training.evaluation import EARLY, MODEL, Evaluation, UserGroup
from training.measuring import EXAMPLE_ITEMS, LIST_LENGTH, TOP, Example
from training.propensities import examination_section, examine
from training.segments_report import segments_section
from training.split import Split
from training.tradeoff import TradeOff
from training.tuned import Tuned
from training.tuning_report import tuning_section

_HELD_OUT: Final = {
    Split.LAST: "leave-last-out: each user's newest new item is held out",
    Split.TIME: "by time: the first new item that each user came to in the newest days is held out",
}
_RULES: Final = (
    "; ties go to the item earlier in the catalogue, whose order has no meaning; items the user acted on "
    "before are left out; users whose held-out items told training when to stop are not evaluated"
)
_ACCURACY: Final = {"ndcg": "NDCG", "hit_rate": "hit rate", "mrr": "MRR", "map": "MAP"}
_NATURE: Final = {
    "coverage": ("coverage", "{:.1%}", "Share of the catalogue that is in anyone's list. More is better."),
    "novelty": (
        "novelty",
        "{:.2f}",
        "How surprising the items are, in bits: at 10, 1 user in 1,024 knows an item. More is fresher, at "
        "equal accuracy.",
    ),
    "popularity_lift": (
        "popularity lift",
        "{:+.0%}",
        "How much more popular the items are than those that users came to by themselves. Near 0 is best; "
        "above it, hits crowd out the rest.",
    ),
    "diversity": (
        "diversity",
        "{:.3f}",
        "How unlike each other the items of a list are, from 0 to 1. More is more varied, at equal accuracy.",
    ),
    "miscalibration": (
        "miscalibration",
        "{:.3f}",
        "How far the mix of categories in a list is from that in the user's history, in nats. 0 mirrors it; "
        "less is better.",
    ),
}
"""Attribute of `Scores` -> its name, its form, and which direction is good."""
_FEATURES_SHOWN: Final = 15
_FEWEST_USERS: Final = 20
"""Groups of fewer are not drawn: their intervals would squeeze all others."""
_UNKNOWN: Final = "n/a"


def save_report(
    evaluation: Evaluation,
    audience: Audience,
    training: bytes,
    dataset: Dataset,
    folder: Path,
    *,
    soundness: Soundness | None = None,
    calibrations: Sequence[Calibration] = (),
    tuned: Tuned | None = None,
) -> None:
    """Write `report.json` and `report.html`; equal runs are equal bytes.

    `training` is the model's `TRAINING_FILE`; `soundness` and `calibrations` are what *prepare* found, of a
    night on the lake; `tuned` is how the settings were found.
    """
    examination = examine(dataset.log.shown)
    report = {
        "events": dataset.log.events,
        "acts": len(dataset.log.acts),
        "users": len(dataset.log.users),
        "items": len(dataset.log.items),
        "protocol": _HELD_OUT[dataset.how] + _RULES,
        "evaluation": msgspec.to_builtins(evaluation, str_keys=True),
        "audience": msgspec.to_builtins(audience, str_keys=True),
        "examination": msgspec.to_builtins(examination),
        "training": msgspec.json.decode(training),
    }
    more = {"Which places are looked at": examination_section(examination)}
    if soundness is not None:
        report |= {"data": msgspec.to_builtins(soundness), "calibration": msgspec.to_builtins(calibrations)}
        more["The night's data"] = data_section(soundness)
        more["Expected and observed clicks"] = calibration_section(calibrations)
    if tuned is not None:
        report |= {"tuning": msgspec.to_builtins(tuned)}
        more["Tuning"] = tuning_section(tuned)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    facts = (
        f"{report['events']:,} events, {report['users']:,} users, {report['items']:,} items. "
        f"{evaluation.users:,} users evaluated. Protocol: {report['protocol']}."
    )
    body = page(facts, evaluation, audience, report["training"], more)
    (folder / "report.html").write_text(body, encoding="utf-8")


def read_evaluation(folder: Path) -> Evaluation:
    """Read the evaluation out of a report that `save_report` wrote, now or before it knew as much."""
    report = msgspec.json.decode((folder / "report.json").read_bytes())
    return msgspec.convert(report["evaluation"], Evaluation, strict=False)


def page(
    facts: str,
    evaluation: Evaluation,
    audience: Audience,
    training: dict[str, Any],
    more: Mapping[str, str] | None = None,
) -> str:
    """Lay out the page; it needs no network, and strings of the data are only ever text in it.

    `more` is sections (title -> HTML) that follow the others.
    """
    importance = dict(list(training["importance"].items())[:_FEATURES_SHOWN])
    sections = {
        "Held-out accuracy": _accuracy(evaluation),
        "Lift over baselines": _lift(evaluation),
        "Beyond accuracy": _nature(evaluation),
        "Accuracy against diversity": _trade_off(evaluation.trade_off),
        "Who it is good for": _groups(evaluation.groups),
        "Segments": segments_section(audience.segments),
        "Cold start": cold_section(audience.newcomers, audience.new_items),
        "Recall by source": _recall(evaluation),
        "Example users": _examples(evaluation.examples),
        "Learning curve": curve(
            training["validation_ndcg_at_10"], "{:.4f}", label="validation NDCG@10 by tree", unit="trees"
        ),
        "What the ranker looks at": bars(importance, "{:,.0f}", label="gain by feature"),
        **(more or {}),
    }
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections.items())
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Attune: training report</title>"
        f'<meta http-equiv=Content-Security-Policy content="{POLICY}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>Training report</h1><p>{escape(facts)}</p>{body}"
        "</body></html>\n"
    )


def _accuracy(evaluation: Evaluation) -> str:
    columns = [("ndcg", 10), ("hit_rate", 10), ("mrr", 10), ("map", 10), ("ndcg", 20), ("hit_rate", 20)]
    names = {column: f"{_ACCURACY[column[0]]} @{column[1]}" for column in columns}
    if all(scores.map == scores.mrr for scores in evaluation.methods.values()):
        names["mrr", 10] = "MRR = MAP @10"
        del names["map", 10]
    rows = [
        [method, *(_figure(getattr(scores, name).get(k), "{:.4f}") for name, k in names)]
        for method, scores in evaluation.methods.items()
    ]
    return _note("More is better.") + table(["method", *names.values()], rows)


def _lift(evaluation: Evaluation) -> str:
    """The intervals are those of the paired differences, against the rival's own mean."""
    rows = []
    for rival, gap in evaluation.differences.items():
        base = evaluation.methods[rival].ndcg[TOP]
        lifts = [f"{value / base:+.1%}" if base else _UNKNOWN for value in (gap.mean, gap.low, gap.high)]
        rows.append([rival, *lifts, f"{gap.mean:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}"])
    head = ["against", "lift", "95% from", "to", "difference", "95%"]
    return _note(
        f"What the model has more than each rival in NDCG@{TOP}, relatively and absolutely; 95% intervals by "
        "bootstrap of the differences user by user. An interval that holds 0 proves nothing."
    ) + table(head, rows)


def _nature(evaluation: Evaluation) -> str:
    rows = [
        [name, *(_figure(getattr(scores, field), form) for scores in evaluation.methods.values())]
        for field, (name, form, _) in _NATURE.items()
    ]
    return (
        _note(f"What the first {TOP} items of the lists are like.")
        + table(["measure", *evaluation.methods], rows)
        + glossary({name: words for name, _, words in _NATURE.values()})
    )


def _trade_off(found: tuple[TradeOff, ...]) -> str:
    if not found:
        return _note("Nothing to show: no user was evaluated, or nothing is known of items' content.")
    rows = [
        [f"{one.strength:g}", f"{one.ndcg:.4f}", f"{one.low:+.4f} to {one.high:+.4f}", f"{one.variety:.4f}"]
        for one in found
    ]
    points = [Point(f"{one.strength:g}", one.variety, one.ndcg) for one in found]
    return (
        _note(
            f"What a policy's diversity, from 0 to 1, makes of the first {TOP} items: up is more accurate, "
            "right more varied. The interval is of the change, user by user; one that holds 0 proves nothing."
        )
        + plane(points, "{:.4f}", label="NDCG against diversity", across="diversity", up=f"NDCG@{TOP}")
        + table(["strength", f"NDCG@{TOP}", "change, 95%", "diversity"], rows)
    )


def _figure(value: float | None, form: str) -> str:
    return _UNKNOWN if value is None else form.format(value)


def _groups(groups: dict[str, UserGroup]) -> str:
    drawn = {
        _group_name(name, group): [
            Whisker(method, scores.ndcg.mean, scores.ndcg.low, scores.ndcg.high, strong=method == MODEL)
            for method, scores in group.methods.items()
            if group.users >= _FEWEST_USERS
        ]
        for name, group in groups.items()
    }
    note = _note(f"NDCG@{TOP} with 95% intervals, by how many items were known of a user.")
    return note + whiskers(drawn, "{:.3f}", label=f"NDCG@{TOP} by user group and method")


def _group_name(name: str, group: UserGroup) -> str:
    known = f"{group.fewest} or more" if group.most is None else f"{group.fewest} to {group.most}"
    few = " (too few)" if group.users < _FEWEST_USERS else ""
    return f"{name}: {known} items, users: {group.users:,}{few}"


def _recall(evaluation: Evaluation) -> str:
    recall, added = evaluation.recall_by_source, evaluation.recall_added_by_source
    early, early_added = evaluation.early_recall_by_source, evaluation.early_recall_added_by_source
    rows = [
        [
            source,
            _size(evaluation.offered_by_source.get(source)),
            _figure(early.get(source), "{:.2%}"),
            _figure(early_added.get(source), "{:+.2%}"),
            f"{share:.2%}",
            _figure(added.get(source), "{:+.2%}"),
        ]
        for source, share in recall.items()
    ]
    note = (
        "Share of users whose held-out item is among the k that a source offers (the bar), and whose item it "
        "alone offers (the stronger part): what the ceiling, any, would lose without it. In the table also "
        f"among the first {EARLY} of every source. "
    )
    head = ["source", "k", f"alone @{EARLY}", f"added @{EARLY}", "alone @k", "added @k"]
    return (
        _note(note + _idle(evaluation))
        + bars(recall, "{:.1%}", parts=added, label="recall by source")
        + (table(head, rows))
    )


def _size(offered: int | None) -> str:
    if offered is None:
        return ""
    return f"{offered:,}" if offered else "off"


def _idle(evaluation: Evaluation) -> str:
    """Say which of the sources that are on add nothing."""
    if not evaluation.users:
        return "No user was evaluated."
    off = {source for source, count in evaluation.offered_by_source.items() if not count}
    idle = [
        source
        for source, share in evaluation.recall_added_by_source.items()
        if not share and source not in off
    ]
    if not idle:
        return "Every source adds something."
    names = idle[0] if len(idle) == 1 else f"{', '.join(idle[:-1])} and {idle[-1]}"
    verb = "adds" if len(idle) == 1 else "add"
    return f"{names} {verb} nothing: other sources offer all the held-out items that they do."


def _examples(examples: tuple[Example, ...]) -> str:
    note = f"Spread evenly over the users evaluated, not chosen by success; the first {EXAMPLE_ITEMS} items."
    return _note(note) + "".join(_example(number, example) for number, example in enumerate(examples, 1))


def _example(number: int, example: Example) -> str:
    history = "".join(f"<li>{_item(item)}</li>" for item in example.history)
    recommended = "".join(
        f"<li>{_item(one.item)} <span class=soft>{escape(one.reason.replace('_', ' '))}</span></li>"
        for one in example.recommended
    )
    place = f"at place {example.rank}" if example.rank else f"not among the first {LIST_LENGTH}"
    return (
        f"<article><h3>User {number}, {example.known:,} items known</h3>"
        f"<div class=soft>history, newest first</div><ul>{history}</ul>"
        f"<div class=soft>recommended</div><ol>{recommended}</ol>"
        f"<p><span class=soft>came to</span> {_item(example.held_out)}: {place}</p></article>"
    )


def _item(title: str) -> str:
    """Isolate the direction of its text, too: a title may be written from right to left."""
    return f"<bdi>{escape(title)}</bdi>"


def _note(text: str) -> str:
    return f"<p class=soft>{escape(text)}</p>"
