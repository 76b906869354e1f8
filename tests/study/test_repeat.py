"""A run directory holds what makes the run again."""

import copy
from pathlib import Path

import yaml

from mlip_core.study.config import load_study
from mlip_core.study.repeat import write_study_of_run

STUDY = {
    "seed": 7,
    "datasets": {
        "a": {
            "source": {"files": ["a.xyz", {"url": "https://x.org/b.xyz", "sha256": "0" * 64}]},
            "split": {"test": {"files": ["https://x.org/b.xyz"]}},
        },
        "b": {"source": {"files": ["c.xyz"]}, "split": {}, "labels": {"energy_unit": "Ry"}},
        "c": {"source": {"files": ["d.xyz"]}, "split": {}},
    },
    "defaults": {"training": {"num_epochs": 3}, "dataset": "a"},
    "runs": {
        "plain": {},
        "given": {"optimizer": {}, "loss": {"energy_weight": {0: 1, 2: 5}}, "seed": 1},
        "tuned": {"init_from": "other", "dataset": "b"},
        "other": {"model": {"architecture": "visnet", "num_channels": 16}, "dataset": "c"},
    },
    "grids": {"width": {"vary": {"model.num_channels": [16, 32]}}},
    "select_best": {"metric": "mae_f"},
}


def test_run_is_the_same_in_the_study_of_its_own(tmp_path: Path) -> None:
    study = load_study(copy.deepcopy(STUDY))
    for run in study.runs:
        write_study_of_run(tmp_path / f"{run}.yaml", study, run)
        again = load_study(yaml.safe_load((tmp_path / f"{run}.yaml").read_text()))
        assert again.run_config(run) == study.run_config(run), run
        for dataset in again.datasets:
            assert again.dataset_seed(dataset) == study.dataset_seed(dataset)
            assert again.split_config(dataset) == study.split_config(dataset)
            assert again.datasets[dataset].labels == study.datasets[dataset].labels


def test_only_what_the_run_needs_is_kept(tmp_path: Path) -> None:
    study = load_study(copy.deepcopy(STUDY))
    needs = {
        "plain": ({"plain"}, {"a"}),
        "tuned": ({"other", "tuned"}, {"b", "c"}),
        "width-num_channels_32": ({"width-num_channels_32"}, {"a"}),
    }
    for run, (runs, datasets) in needs.items():
        write_study_of_run(tmp_path / "study.yaml", study, run)
        text = (tmp_path / "study.yaml").read_text()
        again = load_study(yaml.safe_load(text))
        assert (set(again.runs), set(again.datasets)) == (runs, datasets)
        assert f"results/models/{run}.zip" in text
