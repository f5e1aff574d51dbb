"""The dataset that `prepare` hands to the other jobs, and how it rests on disk.

Equal logs give equal bytes: arrays as ``.npy``, profiles in their stored form, no pickle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from scipy import sparse

from personalization.events import Item
from personalization.model_tables import Tables
from personalization.profiles import at_seconds
from personalization.recipe import Recipe
from training.acts import ActLog, Ints, collect
from training.acts_files import load_log, save_log
from training.encoders import TextEncoder
from training.impressions import Impressions
from training.knowledge import Knowledge
from training.lessons import Lessons
from training.snapshots import StoredProfiles, replay
from training.sources import Source
from training.split import Labels, Split, Stage, known_to, split, stops_training
from training.tables import build_tables


@dataclass(frozen=True)
class Dataset:
    """Acts, labels, and profiles by stage.

    Attributes
    ----------
    profiles
        Stage -> profile of each user of `log.users`, in that order; decoded when taken.
    how
        How it was split; never `Split.AUTO`.
    recipe
        How its tables are counted, and candidates found in them.
    encoder
        Tells what items' words mean, for the tables' content similarity; once a stage.
    """

    log: ActLog
    labels: Mapping[Stage, Labels]
    profiles: Mapping[Stage, StoredProfiles]
    how: Split
    recipe: Recipe = field(default_factory=Recipe)
    encoder: TextEncoder | None = None
    _known: dict[Stage, Knowledge] = field(default_factory=dict, repr=False, compare=False)

    @property
    def validated(self) -> Ints:
        """Users of the test stage who tell training when to stop."""
        labelled = self.labels[Stage.TEST].users
        return labelled[stops_training(self.log.users, labelled)]

    @property
    def evaluated(self) -> Ints:
        """Users of the test stage whom training knows nothing of."""
        labelled = self.labels[Stage.TEST].users
        return labelled[~stops_training(self.log.users, labelled)]

    def held_out(self) -> dict[str, str]:
        """Return the item that each evaluated user came to, by user key."""
        item = self.labels[Stage.TEST].item
        return {self.log.users[user]: self.log.items[item[user]].item_id for user in self.evaluated.tolist()}

    def with_recipe(self, recipe: Recipe) -> "Dataset":
        """Return the same data with tables and candidates by another recipe."""
        return self if recipe == self.recipe else replace(self, recipe=recipe, _known={})

    def tables(self, stage: Stage) -> Tables:
        """Build the tables a stage may know, as of its newest act."""
        acts = known_to(self.labels[stage], self.log.acts)
        return build_tables(
            acts,
            self.log.items,
            at=int(acts.at.max(initial=0)),
            recipe=self.recipe,
            encoder=self.encoder,
            anonymous=self.log.anonymous,
        )

    def shown(self, stage: Stage) -> Impressions:
        """Return the impressions whose outcome a stage may know."""
        return self.log.shown.mature_before(self._known_until(stage))

    def _known_until(self, stage: Stage) -> Ints:
        """(users,), a stage's cuts, or the end of the log: what it shows last waits for its outcome."""
        end = 0 if self.log.last_at is None else at_seconds(self.log.last_at) + 1
        return np.minimum(self.labels[stage].cut, end)

    def knowledge(self, stage: Stage) -> Knowledge:
        """Collect what a stage knows, once."""
        if stage not in self._known:
            self._known[stage] = Knowledge(
                self.profiles[stage],
                self.labels[stage],
                self.owned(stage),
                self.tables(stage),
                self.lessons() if stage is Stage.TRAIN else None,
            )
        return self._known[stage]

    def lessons(self) -> Lessons:
        """Return what the train stage's label window teaches beside the labels."""
        cut, next_cut = self.labels[Stage.TRAIN].cut, self._known_until(Stage.TEST)
        return Lessons.of(self.log.shown, self.shown(Stage.TRAIN), cut, next_cut, len(self.log.items))

    def owned(self, stage: Stage) -> sparse.csr_array:
        """(users, items), 1 for what each user had bought or rated as far as a stage may know."""
        known = known_to(self.labels[stage], self.log.owned)
        return known.matrix(len(self.log.users), len(self.log.items))


def make_dataset(
    source: Source, items: Sequence[Item] = (), *, how: Split = Split.LAST, hold_last_events: int = 0
) -> Dataset:
    """Read a source twice: once for acts and labels, once to replay profiles up to them.

    With `hold_last_events`, each user's last so many acts are input only: known to the profiles that serve,
    and neither counted, factorized nor learnt from.
    """
    log = collect(source(), items)
    log = log.without_last(hold_last_events)
    how, labels = split(log.acts, len(log.users), how)
    return Dataset(log, labels, replay(source(), log.users, labels, log.merged_into), how)


SPLIT_FILE: Final = "split.json"


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a dataset into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_log(dataset.log, folder)
    (folder / SPLIT_FILE).write_bytes(msgspec.json.encode(dataset.how))
    for stage in Stage:
        np.save(folder / f"labels.{stage}.items.npy", dataset.labels[stage].items)
        np.save(folder / f"labels.{stage}.cut.npy", dataset.labels[stage].cut)
        encoded = msgspec.msgpack.encode(dataset.profiles[stage].encoded)
        (folder / f"profiles.{stage}.msgpack").write_bytes(encoded)


def load_dataset(folder: Path, stages: Sequence[Stage] = tuple(Stage)) -> Dataset:
    """Read what `save_dataset` wrote, with the profiles of some stages only."""
    labels = {
        stage: Labels(
            np.load(folder / f"labels.{stage}.items.npy"), np.load(folder / f"labels.{stage}.cut.npy")
        )
        for stage in Stage
    }
    profiles = {stage: _profiles(folder / f"profiles.{stage}.msgpack") for stage in stages}
    how = msgspec.json.decode((folder / SPLIT_FILE).read_bytes(), type=Split)
    return Dataset(load_log(folder), labels, profiles, how)


def _profiles(path: Path) -> StoredProfiles:
    return StoredProfiles(msgspec.msgpack.decode(path.read_bytes(), type=list[bytes]))
