"""What one stage of the split knows, and its users' candidates, a block of users at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

import numpy as np
import numpy.typing as npt
from scipy import sparse

from personalization.candidates import Candidates, History, generate, history_of
from personalization.features import features
from personalization.model_tables import Floats, Tables
from personalization.profiles import Profile
from personalization.ranking import BLOCK_USERS
from training.acts import Ints
from training.lessons import Lessons
from training.split import Labels


@dataclass(frozen=True)
class Block:
    """Some users with their candidates, each at the moment of their label.

    Attributes
    ----------
    users
        (b,), numbers in the log.
    at
        (b,), seconds since 1970.
    """

    users: Ints
    profiles: Sequence[Profile]
    history: History
    candidates: Candidates
    at: Ints
    tables: Tables

    def features(self, kept: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Compute the features of all candidates, or of those that a mask (c,) keeps."""
        chosen = self.candidates if kept is None else self.candidates.where(kept)
        return features(chosen, self.profiles, self.history, self.tables, self.at)


@dataclass(frozen=True)
class Knowledge:
    """What a stage knows, and the labels to find.

    Attributes
    ----------
    profiles
        One a user of the log, cut at the stage's labels.
    owned
        (users, items), 1 for what was bought or rated before.
    lessons
        What the label window's impressions teach, for the stage that trains.
    """

    profiles: Sequence[Profile]
    labels: Labels
    owned: sparse.csr_array
    tables: Tables
    lessons: Lessons | None = None

    def blocks(self, users: Ints) -> Iterator[Block]:
        """Yield users with their candidates. Memory: one block."""
        for numbers in batched(users.tolist(), BLOCK_USERS, strict=False):
            rows = np.array(numbers, dtype=np.int64)
            profiles = [self.profiles[row] for row in numbers]
            history = history_of(profiles, self.tables, owned=self.owned[rows])
            candidates = generate(history, self.tables)
            yield Block(rows, profiles, history, candidates, self.labels.cut[rows], self.tables)
