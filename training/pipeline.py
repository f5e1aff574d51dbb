"""The whole slow loop offline, on an export of your own, before anything is deployed.

``python -m training.pipeline --events FILE... --items FILE --output DIR``

Writes `DIR/recommendations.jsonl` (every user of the log), `DIR/model/`, `DIR/report.json` and
`DIR/report.html`. Now is the log's last event. Same input, seed and threads give the same bytes.

With `--tune N`, settings are searched for first, in N trials that rest in `DIR/tuning.db`: the same command
goes on where it was interrupted. `DIR/hyperparameters.json` holds what was chosen, as the job *train* takes
it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from personalization.lists import ListItem
from personalization.names import Ranker
from personalization.ranking import BLOCK_USERS, Model
from training.audience import study
from training.dataset import Dataset, make_dataset
from training.encoders import ENCODERS, NoEncoderError
from training.evaluation import Evaluation, evaluate, rankers_of
from training.modelling import TRAINING_FILE, save_model, train_on
from training.ranker import NothingToLearnError
from training.report import save_report
from training.searching import search
from training.settings import Settings
from training.sources import Rejects, exported_events, exported_items
from training.split import NoLabelsError, Split, Stage
from training.tuned import Tuned, TuningError
from training.tuning_report import verdict

_console = Console(stderr=True, highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pipeline; returns 0, or 1 with a message that says what to do."""
    options = _parse(argv)
    rejects, item_rejects = Rejects(), Rejects()
    missing = [str(path) for path in [*options.events, options.items] if path and not path.is_file()]
    if missing:
        return _fail(f"there is no file {', '.join(missing)}")
    items = exported_items(options.items, item_rejects) if options.items else []
    try:
        encoder = ENCODERS[options.encoder]() if options.encoder else None
        with _console.status("reading the log, replaying profiles"):
            source = partial(exported_events, options.events, rejects)
            dataset = make_dataset(
                source, items, how=options.split, hold_last_events=options.hold_last_events
            )
    except (NoEncoderError, NoLabelsError) as error:
        return _fail(str(error))
    for found in (item_rejects, rejects):
        _tell_rejects(found)
    now = dataset.log.last_at
    if now is None:
        return _fail("the log holds no valid event; see docs/events.md for the format")
    try:
        dataset = replace(dataset, encoder=encoder)
        tuned = _tune(dataset, options) if options.tune else None
        evaluation = _make_model(dataset, now, options, tuned)
    except (NothingToLearnError, TuningError) as error:
        return _fail(str(error))
    _write_recommendations(dataset, now, options)
    _console.print(_summary(evaluation))
    if tuned is not None:
        _console.print(verdict(tuned))
    _console.print(f"recommendations, model and report.html are in {options.output}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.pipeline", description=__doc__)
    parser.add_argument("--events", type=Path, nargs="+", required=True, help="JSONL, or JSONL.gz")
    parser.add_argument("--items", type=Path, help="JSONL, or JSONL.gz")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--k", type=int, default=20, help="items a user")
    parser.add_argument("--repeat", action="store_true", help="also items the user has had before")
    parser.add_argument(
        "--hold-last-events",
        type=int,
        default=0,
        metavar="N",
        help="each user's last N events are input only: nothing is counted or learnt from them",
    )
    parser.add_argument(
        "--split",
        type=Split,
        choices=list(Split),
        default=Split.LAST,
        help="hold out each user's last new item, or everybody's of the newest days",
    )
    parser.add_argument(
        "--tune", type=_count, metavar="N", help="search for better settings in N trials; can be interrupted"
    )
    parser.add_argument(
        "--encoder",
        choices=list(ENCODERS),
        help="items are alike by what their words mean, too (extra `embeddings`); else by the words alone",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("there has to be one trial at least")
    return count


def _tune(dataset: Dataset, options: argparse.Namespace) -> Tuned:
    return search(
        dataset, options.output, options.tune, seed=options.seed, threads=options.threads, console=_console
    )


def _make_model(
    dataset: Dataset, now: datetime, options: argparse.Namespace, tuned: Tuned | None
) -> Evaluation:
    folder: Path = options.output / "model"
    settings = Settings(seed=options.seed) if tuned is None else Settings.of(tuned.hyperparameters)
    dataset = dataset.with_recipe(settings.recipe)
    with _console.status("training the ranker"):
        trained = train_on(dataset, seed=settings.seed, threads=options.threads, ranker=settings.ranker)
        tables = dataset.tables(Stage.SERVE)
        save_model(folder, trained, tables, dataset, version="offline", now=now)
    with _console.status("evaluating on held-out items"):
        knowledge, log = dataset.knowledge(Stage.TEST), dataset.log
        evaluation = evaluate(log, knowledge, rankers_of(folder, threads=options.threads))
    with _console.status("looking at segments and newcomers"):
        audience = study(log.acts, knowledge)
    training = (folder / TRAINING_FILE).read_bytes()
    save_report(evaluation, audience, training, dataset, options.output, tuned=tuned)
    return evaluation


def _write_recommendations(dataset: Dataset, now: datetime, options: argparse.Namespace) -> None:
    model = Model.load(options.output / "model", threads=options.threads)
    users, profiles, owned = dataset.log.users, dataset.profiles[Stage.SERVE], dataset.owned(Stage.SERVE)
    with (options.output / "recommendations.jsonl").open("wb") as file:
        for start in track(range(0, len(users), BLOCK_USERS), "ranking for every user", console=_console):
            block = slice(start, start + BLOCK_USERS)
            lists = model.recommend(
                profiles[block],
                ranker=Ranker.LIGHTGBM,
                now=now,
                limit=options.k,
                repeat=options.repeat,
                owned=owned[block],
            )
            file.writelines(map(_line, users[block], lists))


def _line(user_id: str, items: Sequence[ListItem]) -> bytes:
    rows = [{"item_id": item.item_id, "score": item.score} for item in items]
    return msgspec.json.encode({"user_id": user_id, "items": rows}) + b"\n"


def _tell_rejects(rejects: Rejects) -> None:
    if rejects.counts:
        counts = ", ".join(f"{count:,} {code}" for code, count in rejects.counts.most_common())
        _console.print(f"left out: {counts}", style="yellow")
        for example in rejects.examples:
            _console.print(f"  {example}", markup=False)


def _summary(evaluation: Evaluation) -> Table:
    table = Table(
        "method",
        "NDCG@10",
        "HR@10",
        "the model has more (95%)",
        title=f"held-out items of {evaluation.users:,} users",
    )
    for method, scores in evaluation.methods.items():
        gap = evaluation.differences.get(method)
        more = f"{gap.low:+.4f} to {gap.high:+.4f}" if gap else ""
        table.add_row(method, f"{scores.ndcg[10]:.4f}", f"{scores.hit_rate[10]:.4f}", more)
    return table


def _fail(message: str) -> int:
    _console.print(message, style="red", markup=False)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
