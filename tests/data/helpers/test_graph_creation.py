from typing import Any

import ase
import jraph
import numpy as np
import pytest

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers import create_graph_from_chemical_system
from mlip_core.data.helpers.dummy_init_graph import get_dummy_graph_for_model_init
from tests.data.structures import TRICLINIC, graph_of, water


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
