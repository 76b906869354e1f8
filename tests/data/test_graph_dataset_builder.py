from pathlib import Path
from typing import Any

import ase.io
import jax
import numpy as np
import pytest

from mlip_core.data import (
    ChemicalSystemsReaderConfig,
    DatasetInfo,
    ExtxyzReader,
    GraphDatasetBuilder,
)
from mlip_core.data.graph_dataset_builder import (
    DatasetsHaveNotBeenProcessedError,
    DevicesNotProvidedForPrefetchingError,
)
from tests.data.structures import ethanol, labelled, water


@pytest.fixture
def reader(tmp_path: Path) -> ExtxyzReader:
    ase.io.write(
        tmp_path / "train.xyz",
        [labelled(make(seed)) for seed in range(5) for make in (ethanol, water)],
    )
    ase.io.write(tmp_path / "valid.xyz", [labelled(water(seed)) for seed in range(20, 23)])
    return ExtxyzReader(
        ChemicalSystemsReaderConfig(
            train_dataset_paths=tmp_path / "train.xyz", valid_dataset_paths=tmp_path / "valid.xyz"
        )
    )


def build(
    reader: ExtxyzReader, dataset_info: DatasetInfo | None = None, **options: Any
) -> GraphDatasetBuilder:
    config = GraphDatasetBuilder.Config(graph_cutoff_angstrom=3.0, batch_size=4, **options)
    builder = GraphDatasetBuilder(reader, config, dataset_info)
    builder.prepare_datasets()
    return builder


def test_splits_and_statistics(reader: ExtxyzReader) -> None:
    builder = build(reader)
    train, valid, test = builder.get_splits()
    assert (train.num_graphs, valid.num_graphs, test.num_graphs) == (10, 3, 0)
    assert (train.should_shuffle, valid.should_shuffle) == (True, False)
    info = builder.dataset_info
    assert list(info.atomic_energies_map) == [1, 6, 8]
    assert info.cutoff_distance_angstrom == 3.0
    n_edge = sum(int(graph.n_edge[0]) for graph in train.graphs)
    assert info.avg_num_neighbors == n_edge / 60
    graph = valid.graphs[0]
    expected = graph.globals.energy[0] - info.atomic_energies[graph.nodes.species].sum()
    batch = next(iter(valid))
    np.testing.assert_allclose(batch.globals.interaction_energy[0], expected, atol=1e-5)


def test_formation_energies_replace_energies(reader: ExtxyzReader) -> None:
    plain, formation = build(reader), build(reader, use_formation_energies=True)
    assert plain.dataset_info == formation.dataset_info
    batches = [next(iter(builder.get_splits()[1])) for builder in (plain, formation)]
    np.testing.assert_allclose(
        batches[0].globals.interaction_energy, batches[1].globals.energy, atol=1e-5
    )
    assert batches[1].globals.interaction_energy is None


def test_given_statistics(reader: ExtxyzReader) -> None:
    builder = build(reader, avg_num_neighbors=3.5, avg_r_min_angstrom=0.9)
    assert builder.dataset_info.avg_num_neighbors == 3.5
    assert builder.dataset_info.avg_r_min_angstrom == 0.9


def test_given_dataset_info_decides_species(reader: ExtxyzReader) -> None:
    info = DatasetInfo(
        atomic_energies_map={1: -1.0, 6: -2.0, 7: -3.0, 8: -4.0}, cutoff_distance_angstrom=3.0
    )
    builder = build(reader, info)
    assert builder.dataset_info == info
    assert builder.get_splits()[1].graphs[0].nodes.species.tolist() == [3, 0, 0]


def test_given_limits(reader: ExtxyzReader) -> None:
    train, _, _ = build(reader, max_n_node=9, max_n_edge=36).get_splits()
    assert train.shape.n_node == 37
    assert train.num_graphs == 10


def test_prefetched_batches_are_on_the_devices_with_a_leading_axis(reader: ExtxyzReader) -> None:
    builder = build(reader)
    train, valid, _ = builder.get_splits(prefetch=True, devices=jax.devices()[:1])
    plain = builder.get_splits()[1]
    assert train.num_graphs == 10
    for placed, batch in zip(valid, plain.epoch(0), strict=True):
        assert isinstance(placed.senders, jax.Array)
        np.testing.assert_array_equal(placed.senders[0], batch.senders)


def test_order_of_calls(reader: ExtxyzReader) -> None:
    builder = GraphDatasetBuilder(reader, GraphDatasetBuilder.Config())
    with pytest.raises(DatasetsHaveNotBeenProcessedError):
        builder.get_splits()
    with pytest.raises(DatasetsHaveNotBeenProcessedError):
        _ = builder.dataset_info


def test_prefetching_needs_devices(reader: ExtxyzReader) -> None:
    with pytest.raises(DevicesNotProvidedForPrefetchingError):
        build(reader).get_splits(prefetch=True)
