"""Makes a model of a dataset, and writes its folder."""

from datetime import datetime
from pathlib import Path

import msgspec

from personalization.features import FEATURES
from personalization.model_tables import Tables, save_tables
from personalization.ranking import RANKER_FILE, TABLES_FOLDER
from personalization.registry import METADATA_FILE, Metadata
from training.checkpoints import Drawn, drawn_once
from training.cluster import ALONE, Cluster
from training.dataset import Dataset
from training.distributed import StallWatch
from training.ranker import DEFAULT, TrainedRanker, draw_examples, fit_ranker
from training.settings import RankerParameters
from training.split import Stage

TRAINING_FILE = "training.json"


def train_on(
    dataset: Dataset,
    *,
    seed: int,
    threads: int,
    ranker: RankerParameters = DEFAULT,
    cluster: Cluster = ALONE,
    checkpoints: Path | None = None,
    watch: StallWatch | None = None,
) -> TrainedRanker:
    """Train the ranker on what the train stage may know; users of the test stage tell when to stop.

    Hosts of a cluster train together.
    """

    def draw() -> Drawn:
        known, later = dataset.knowledge(Stage.TRAIN), dataset.knowledge(Stage.TEST)
        return draw_examples(known, later, dataset.validated, seed=seed, cluster=cluster)

    drawn = drawn_once(checkpoints, draw, cluster=cluster, seed=seed)
    return fit_ranker(*drawn, ranker, seed=seed, threads=threads, cluster=cluster, watch=watch)


def save_model(
    folder: Path,
    trained: TrainedRanker,
    tables: Tables,
    dataset: Dataset,
    *,
    version: str,
    now: datetime,
    code_version: str = "unknown",
) -> None:
    """Write ranker, tables and metadata into a folder; equal models are equal bytes.

    The tables are those that serve: they know the whole log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    acts = dataset.log.acts
    metadata = Metadata(
        version=version,
        trained_at=now,
        features=FEATURES,
        events=dataset.log.events,
        users=len(dataset.log.users),
        items=len(dataset.log.items),
        data_from=datetime.fromtimestamp(int(acts.at.min()), now.tzinfo) if len(acts) else None,
        data_to=dataset.log.last_at,
        parameters=dict(trained.parameters),
        code_version=code_version,
    )
    (folder / METADATA_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(metadata)))
    (folder / RANKER_FILE).write_text(trained.text)
    training = {
        "training_users": trained.training_users,
        "trees": len(trained.curve),
        "validation_ndcg_at_10": [round(float(value), 5) for value in trained.curve],
        "importance": {name: round(gain, 1) for name, gain in trained.importance.items()},
    }
    (folder / TRAINING_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(training)))
    save_tables(tables, folder / TABLES_FOLDER)
