"""Experiments as people write them in YAML, and as a night finds them among its channels."""

from pathlib import Path

import pytest

from infrastructure.definitions import as_json, read_definitions
from personalization.errors import InvalidInput
from personalization.experiments import NO_EXPERIMENTS, Definitions, Experiment, Variant
from training.experiments import EXPERIMENTS_FILE, read_experiments, read_tried

TRYING = Definitions(
    experiments=(
        Experiment(
            name="older",
            surface="home",
            variants=(Variant(name="now", weight=0.5), Variant(name="before", weight=0.5, model="v0")),
        ),
    )
)


def written(folder: Path, text: str) -> Path:
    path = folder / "experiments.yaml"
    path.write_text(text)
    return path


def test_a_file_without_anything_has_no_experiments(tmp_path: Path) -> None:
    assert read_definitions(written(tmp_path, "# nothing yet\n")) == NO_EXPERIMENTS


def test_times_are_read_as_times(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        experiments:
          - name: sale
            surface: home
            starts_at: 2026-12-01T06:00:00+01:00
            variants: [{name: a, weight: 0.5}, {name: b, weight: 0.5}]
        """,
    )
    (sale,) = read_definitions(path).experiments
    assert sale.starts_at is not None
    assert sale.starts_at.isoformat() in ("2026-12-01T05:00:00+00:00", "2026-12-01T06:00:00+01:00")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("experiments: [", "experiments.yaml: "),
        ("experiments:\n\t- name: x", "line 2"),
        ("experiments: []\nexperiment: []", "unknown field `experiment`"),
        ("- a\n- b", "Expected `object`, got `array`"),
        ("holdout: {share: 2}", "<= 1"),
        ("holdout: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
    ],
)
def test_a_file_that_can_not_be_meant_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_definitions(written(tmp_path, text))
    assert reason in refused.value.reason


def test_a_night_reads_what_was_kept_for_it(tmp_path: Path) -> None:
    assert read_experiments(tmp_path) == NO_EXPERIMENTS
    (tmp_path / EXPERIMENTS_FILE).write_text(as_json(TRYING))
    assert read_experiments(tmp_path) == TRYING
    (tmp_path / EXPERIMENTS_FILE).write_text("{")
    with pytest.raises(InvalidInput):
        read_experiments(tmp_path)


def test_a_night_goes_on_without_a_model_that_is_not_there(tmp_path: Path) -> None:
    assert TRYING.tried_model == "v0"
    assert read_tried(tmp_path, TRYING) is None
    assert read_tried(tmp_path, NO_EXPERIMENTS) is None
