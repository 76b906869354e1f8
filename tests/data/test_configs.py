from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlip_core.data import ChemicalSystemsReaderConfig, GraphDatasetBuilderConfig
from mlip_core.data.frames import LabelKeys


def test_single_paths_become_lists() -> None:
    config = ChemicalSystemsReaderConfig(
        train_dataset_paths="a.xyz",
        valid_dataset_paths=Path("b.xyz"),
        test_dataset_paths=["c", "d"],
    )
    assert config.train_dataset_paths == ["a.xyz"]
    assert config.valid_dataset_paths == [Path("b.xyz")]
    assert config.test_dataset_paths == ["c", "d"]
    assert ChemicalSystemsReaderConfig(train_dataset_paths="a").valid_dataset_paths is None


@pytest.mark.parametrize("options", [{"train_dataset_paths": []}, {}, {"train_num_to_load": 0}])
def test_senseless_reader_configs(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChemicalSystemsReaderConfig(**{"train_num_to_load": 1, **options})


def test_builder_defaults_are_those_of_the_0_1_api() -> None:
    assert GraphDatasetBuilderConfig().model_dump() == {
        "graph_cutoff_angstrom": 5.0,
        "max_n_node": None,
        "max_n_edge": None,
        "batch_size": 16,
        "num_batch_prefetch": 1,
        "batch_prefetch_num_devices": 1,
        "use_formation_energies": False,
        "avg_num_neighbors": None,
        "avg_r_min_angstrom": None,
    }


@pytest.mark.parametrize(
    "options", [{"graph_cutoff_angstrom": 0}, {"batch_size": 0}, {"max_n_node": -1}, {"cutof": 5.0}]
)
def test_senseless_builder_configs(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GraphDatasetBuilderConfig(**options)


def test_label_keys_by_quantity() -> None:
    keys = LabelKeys(forces_key="f")
    assert [keys.key(name) for name in ("energy", "forces", "stress")] == ["energy", "f", "stress"]
