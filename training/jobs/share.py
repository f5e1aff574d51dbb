"""Dataset and model -> the lists that many users share: popular, trending, by segment."""

from collections.abc import Sequence

from personalization.ranking import Model
from training.anonymity import FEWEST_USERS
from training.dataset import load_dataset
from training.folders import parse_job
from training.lists import shared, write_lists
from training.shared_lists import shared_lists
from training.split import Stage


def main(argv: Sequence[str] | None = None) -> int:
    """Read channels *dataset* and *model*, write one file of channel *lists*."""
    fewest = {"type": int, "default": FEWEST_USERS, "help": "distinct users behind all that is told"}
    job = parse_job(argv, "share", fewest_users=fewest)
    dataset = load_dataset(job.folders.input("dataset"), [Stage.SERVE])
    model = Model.load(job.folders.input("model"))
    common = shared_lists(
        model.tables, dataset.log.acts, dataset.profiles[Stage.SERVE], job.now, job.options.fewest_users
    )
    write_lists(shared(common, model.version, job.now), job.folders.output("lists") / "shared.jsonl.gz")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
