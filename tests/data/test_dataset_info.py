import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlip_core.data import DatasetInfo
from mlip_core.data.dataset_info import (
    compute_dataset_info_from_graphs,
    read_dataset_info,
    write_dataset_info,
)
from mlip_core.data.helpers import AtomicNumberTable
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, graph_of, water

INFO = DatasetInfo(atomic_energies_map={8: -2.0, 1: -1.0}, cutoff_distance_angstrom=5.0)


def test_species_are_in_order_of_atomic_number() -> None:
    assert INFO.z_table.zs == [1, 8]
    assert INFO.atomic_energies.tolist() == [-1.0, -2.0]


def test_file_round_trip_in_the_form_of_the_0_1_api(tmp_path: Path) -> None:
    path = tmp_path / "dataset_info.json"
    write_dataset_info(path, INFO)
    assert read_dataset_info(path) == INFO
    text = (
        '{"atomic_energies_map":{"8":-1.0,"1":-2.0},"cutoff_distance_angstrom":5.0,'
        '"avg_num_neighbors":1.0,"avg_r_min_angstrom":null,"scaling_mean":0.0,"scaling_stdev":1.0}'
    )
    path.write_text(text)
    assert read_dataset_info(path).atomic_energies_map == {1: -2.0, 8: -1.0}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"atomic_energies_map": 3}'])
def test_files_that_are_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(UserError, match=r"not a dataset_info\.json"):
        read_dataset_info(tmp_path / "dataset_info.json")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_dataset_info(tmp_path / "dataset_info.json")


@pytest.mark.parametrize("energies", [{0: 1.0}, {200: 1.0}, {1: float("inf")}])
def test_senseless_atomic_energies(energies: dict[Any, float]) -> None:
    with pytest.raises(ValidationError):
        DatasetInfo(atomic_energies_map=energies, cutoff_distance_angstrom=5.0)


def test_text_names_elements() -> None:
    assert "'H': -1.0" in str(INFO)
    assert "cutoff: 5.0 Å" in str(INFO)


def test_from_graphs(caplog: pytest.LogCaptureFixture) -> None:
    graphs = [graph_of(water(0), energy=-10.0), graph_of(copper(0), energy=-8.0)]
    table = AtomicNumberTable([1, 6, 8, 29])
    with caplog.at_level(logging.WARNING):
        info = compute_dataset_info_from_graphs(graphs, 3.0, table, avg_r_min_angstrom=0.7)
    assert info.atomic_energies_map == pytest.approx({1: -4.0, 8: -2.0, 29: -1.0})
    assert "rank 2 for 3 elements (H, O, Cu)" in caplog.text
    edges = sum(int(graph.n_edge[0]) for graph in graphs)
    assert info.avg_num_neighbors == edges / 11
    assert info.avg_r_min_angstrom == 0.7
