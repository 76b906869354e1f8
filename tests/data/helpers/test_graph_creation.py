import itertools
from typing import Any

import ase
import jraph
import numpy as np
import pytest

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers import create_graph_from_chemical_system
from mlip_core.data.helpers.dummy_init_graph import get_dummy_graph_for_model_init
from mlip_core.data.helpers.graph_creation import (
    Structure,
    StructureBlock,
    TooManyImagesError,
    make_segment,
    make_segment_of_blocks,
    segment_from_graphs,
)
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.data.helpers.neighbor_analysis import min_neighbor_distance
from mlip_core.data.helpers.neighborhood import get_neighborhood
from tests.data.structures import TRICLINIC, graph_of, water

LABELS = (1.0, None, None, None)  # weight, energy, forces, stress


def test_labels_and_dtypes() -> None:
    atoms = water(0)
    forces = np.arange(9.0).reshape(3, 3)
    graph = graph_of(atoms, energy=-3.5, forces=forces, weight=2.0)
    assert graph.nodes.species.tolist() == [2, 0, 0]
    np.testing.assert_array_equal(graph.nodes.forces, forces)
    assert graph.globals.energy.tolist() == [-3.5]
    assert graph.globals.weight.tolist() == [2.0]
    assert graph.globals.stress is None
    assert graph.n_node.tolist() == [3]
    assert graph.n_edge.tolist() == [6]
    assert graph.nodes.positions.dtype == np.float64
    assert graph.senders.dtype == graph.receivers.dtype == graph.edges.shifts.dtype == np.int32


@pytest.mark.parametrize("pbc", [None, (False, False, False)])
def test_cell_of_a_molecule_is_zero(pbc: Any) -> None:
    system = ChemicalSystem(
        atomic_numbers=np.array([1]),
        atomic_species=np.array([0]),
        positions=np.zeros((1, 3)),
        cell=np.eye(3),
        pbc=pbc,
    )
    graph = create_graph_from_chemical_system(system, 3.0)
    assert graph.n_edge.tolist() == [0]
    np.testing.assert_array_equal(graph.globals.cell, np.zeros((1, 3, 3)))


def test_periodic_cell_and_stress_are_kept() -> None:
    system = ChemicalSystem(
        atomic_numbers=np.array([29]),
        atomic_species=np.array([0]),
        positions=np.zeros((1, 3)),
        cell=TRICLINIC,
        pbc=(True, True, True),
        stress=np.eye(3),
    )
    graph = create_graph_from_chemical_system(system, 3.0)
    np.testing.assert_array_equal(graph.globals.cell, TRICLINIC[None])
    np.testing.assert_array_equal(graph.globals.stress, np.eye(3)[None])
    assert graph.n_edge[0] == len(graph.senders) > 0


@pytest.mark.parametrize("atoms", [water(0), water(0)[[0]]])
def test_minimal_batch(atoms: ase.Atoms) -> None:
    system = ChemicalSystem(
        atomic_numbers=atoms.numbers,
        atomic_species=np.zeros(len(atoms), dtype=int),
        positions=atoms.positions,
        energy=1.0,
    )
    batch = create_graph_from_chemical_system(system, 3.0, batch_it_with_minimal_dummy=True)
    assert batch.n_node.tolist() == [len(atoms), 1]
    assert batch.n_edge.tolist() == [len(batch.senders) - 1, 1]
    assert np.asarray(jraph.get_graph_padding_mask(batch)).tolist() == [True, False]
    assert batch.globals.weight.tolist() == [1.0, 0.0]


def test_dummy_graph_is_a_batch_of_one() -> None:
    dummy = get_dummy_graph_for_model_init()
    assert np.asarray(jraph.get_graph_padding_mask(dummy)).tolist() == [True, False]
    assert dummy.n_node.sum() == len(dummy.nodes.positions)
    assert dummy.n_edge.sum() == len(dummy.senders)


def structures_of_all_kinds() -> list[Structure]:
    rng = np.random.default_rng(0)
    cells = [TRICLINIC, np.diag([2.0, 9.0, 9.0]), np.diag([-9.0, 9.0, 9.0])]
    structures = [
        Structure(np.array([8]), np.zeros((1, 3)), None, None, 1.0, -1.0, None, None),
        Structure(np.array([1, 1]), np.diag([0, 0, 50.0])[1:], None, None, 2.0, -2.0, None, None),
    ]
    for n_atoms in (1, 3, 30, 60):
        for pbc in itertools.product([False, True], repeat=3):
            for cell in cells:
                positions = rng.uniform(-4, 12, (n_atoms, 3))
                numbers, forces = rng.integers(1, 9, n_atoms), rng.normal(size=(n_atoms, 3))
                energy = float(rng.normal())
                structures.append(
                    Structure(numbers, positions, cell, pbc, 1.0, energy, forces, np.eye(3))
                )
    return structures


def test_many_at_once_are_what_they_are_one_by_one() -> None:
    structures = structures_of_all_kinds()
    store = GraphStore.from_segments([make_segment(structures, 4.0)])
    assert store.incomplete_labels == {"forces", "stress"}
    for index, s in enumerate(structures):
        graph = store.graph(index)
        senders, receivers, shifts = get_neighborhood(s.positions, 4.0, s.pbc, s.cell)
        np.testing.assert_array_equal(graph.senders, senders)
        np.testing.assert_array_equal(graph.receivers, receivers)
        np.testing.assert_array_equal(graph.edges.shifts, shifts)
        np.testing.assert_array_equal(graph.nodes.positions, s.positions)
        np.testing.assert_array_equal(graph.nodes.species, s.codes)
        assert graph.globals.energy == s.energy
        assert (graph.nodes.forces is None) == (s.forces is None)
        np.testing.assert_array_equal(graph.globals.cell[0].any(), s.is_periodic)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_number_of_threads_is_not_seen(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    structures = structures_of_all_kinds()
    blocks = [StructureBlock.of(structures[i : i + 7]) for i in range(0, len(structures), 7)]
    expected = make_segment(structures, 4.0).arrays()
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    segment = make_segment_of_blocks(iter(blocks), 4.0)
    for name, values in segment.arrays().items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name, strict=True)


def test_columns_of_many() -> None:
    structures = structures_of_all_kinds()
    segment = make_segment(structures, 4.0)
    store = GraphStore.from_segments([segment])
    shortest = [min_neighbor_distance(store.graph(index)) for index in range(len(store))]
    np.testing.assert_allclose(segment.min_distance, shortest, rtol=1e-12)
    assert np.isinf(segment.min_distance[:2]).all()
    assert segment.n_edge[:2].tolist() == [0, 0]
    squares = [np.nan if s.forces is None else np.square(s.forces).sum() for s in structures]
    np.testing.assert_allclose(segment.force_squares, squares, rtol=1e-12)
    for place in store.places(np.arange(len(store))):
        reverse = segment.reverse[place.edges].astype(int)
        shifts = segment.shifts[place.edges]
        np.testing.assert_array_equal(shifts[reverse], -shifts)
        np.testing.assert_array_equal(reverse[reverse], np.arange(len(reverse)))


def test_same_from_graphs() -> None:
    structures = structures_of_all_kinds()
    segment = make_segment(structures, 4.0)
    store = GraphStore.from_segments([segment])
    again = segment_from_graphs([store.graph(index) for index in range(len(store))])
    for name, values in segment.arrays().items():
        tolerance = 1e-12 if name == "min_distance" else 0
        np.testing.assert_allclose(again.arrays()[name], values, rtol=tolerance, err_msg=name)


def test_cell_far_smaller_than_the_cutoff_is_named() -> None:
    sane = structures_of_all_kinds()[:5]
    tiny = Structure(
        np.array([1]), np.zeros((1, 3)), np.eye(3) * 0.02, (True, False, False), *LABELS
    )
    with pytest.raises(TooManyImagesError) as caught:
        make_segment([*sane, tiny, *sane], 4.0)
    assert caught.value.index == 5


def test_nothing() -> None:
    segment = make_segment([], 4.0, labels=("energy", "forces"))
    assert len(segment) == 0
    assert segment.labels == ("energy", "forces")
    assert segment.positions.shape == (0, 3)
