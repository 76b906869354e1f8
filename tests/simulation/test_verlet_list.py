"""Neighbour lists with a skin."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlip_core.data.helpers.neighborhood import get_neighborhood
from mlip_core.simulation.verlet_list import Geometry, VerletList
from mlip_core.utils.errors import UserError

CUTOFF = 5.0


def silicon(repeat: int = 2) -> Atoms:
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=1)
    return atoms


def triclinic() -> Atoms:
    """A cell smaller than the cutoff."""
    cell = [[2.7, 0.1, 0.0], [0.6, 2.9, 0.2], [-0.4, 0.5, 3.1]]
    positions = [[0.0, 0.0, 0.0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]]
    return Atoms("OCH", positions=positions, cell=cell, pbc=True)


def slab() -> Atoms:
    atoms = silicon()
    atoms.pbc = (True, False, True)
    return atoms


def vectors_within(edges: VerletList, structures: list[Atoms]) -> np.ndarray:
    """Sorted edge vectors shorter than the cutoff, from the list and the present positions."""
    padded = edges.padded_vectors(np.float64)
    moves = np.zeros((edges.capacity.n_node, 3))
    positions = np.concatenate([atoms.positions for atoms in structures])
    moves[: len(positions)] = positions - np.concatenate([g.positions for g in edges.references])
    vectors = padded.shifts + moves[padded.receivers] - moves[padded.senders]
    lengths = np.linalg.norm(vectors, axis=1)
    return _sorted(vectors[(lengths > 0) & (lengths < CUTOFF)])


def expected_vectors(structures: list[Atoms]) -> np.ndarray:
    parts = []
    for atoms in structures:
        cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
        senders, receivers, shifts = get_neighborhood(
            atoms.positions, CUTOFF, tuple(atoms.pbc), cell
        )
        parts.append(atoms.positions[receivers] - atoms.positions[senders] + shifts @ cell)
    return _sorted(np.concatenate(parts))


def _sorted(vectors: np.ndarray) -> np.ndarray:
    return vectors[np.lexsort(np.round(vectors, 7).T)]


@pytest.mark.parametrize("make", [silicon, triclinic, slab, lambda: molecule("C60")])
def test_no_pair_is_missed_while_atoms_move(make):
    atoms = make()
    edges = VerletList(CUTOFF)
    rng = np.random.default_rng(0)
    n_new = 0
    for _ in range(30):
        n_new += edges.update([Geometry.of(atoms)])
        np.testing.assert_allclose(vectors_within(edges, [atoms]), expected_vectors([atoms]))
        atoms.positions += rng.normal(scale=0.01, size=atoms.positions.shape)
    assert 1 <= n_new < 15


def test_reach_is_the_distance_that_atoms_may_move():
    atoms = silicon()
    edges = VerletList(CUTOFF)
    edges.update([Geometry.of(atoms)])
    reach, start = edges.reach, atoms.positions.copy()
    assert reach > 0.05
    atoms.positions[3, 0] = start[3, 0] + 0.99 * reach
    assert not edges.update([Geometry.of(atoms)])
    atoms.positions[3, 0] = start[3, 0] + 1.01 * reach
    assert edges.update([Geometry.of(atoms)])


def test_strained_cell_keeps_its_list_while_no_pair_comes_near():
    atoms = silicon()
    edges = VerletList(CUTOFF)
    edges.update([Geometry.of(atoms)])
    n_new = 0
    for step in range(1, 8):
        atoms.set_cell(silicon().cell.array * (1 - 0.02 * step), scale_atoms=True)
        n_new += edges.update([Geometry.of(atoms)])
        reference = edges.references[0]
        strain = np.linalg.solve(reference.cell, atoms.cell.array)
        padded = edges.padded_vectors(np.float64)
        lengths = np.linalg.norm(padded.shifts @ strain, axis=1)
        assert ((lengths > 0) & (lengths < CUTOFF)).sum() == len(expected_vectors([atoms]))
    assert 1 <= n_new < 7


def test_small_molecule_needs_one_list_only():
    atoms = molecule("C2H6CHOH")
    edges = VerletList(CUTOFF)
    edges.update([Geometry.of(atoms)])
    assert edges.capacity.max_runs == 1
    atoms.positions += 1.0  # all pairs are listed already
    atoms.positions[0] -= 1.0
    assert not edges.update([Geometry.of(atoms)])


def test_several_structures_as_each_alone():
    structures = [silicon(), molecule("C60"), triclinic()]
    edges = VerletList(CUTOFF)
    edges.update([Geometry.of(atoms) for atoms in structures])
    np.testing.assert_allclose(vectors_within(edges, structures), expected_vectors(structures))
    assert edges.n_slots.sum() < edges.capacity.n_edge
    structures[1].positions[5] += 0.4
    assert edges.update([Geometry.of(atoms) for atoms in structures])


def test_melting_keeps_the_shape():
    """From all atoms with 28 neighbours to any numbers of them."""
    atoms = bulk("Si", cubic=True).repeat(3)
    edges = VerletList(CUTOFF)
    edges.update([Geometry.of(atoms)])
    capacity = edges.capacity
    rng = np.random.default_rng(0)
    for _ in range(60):
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        edges.update([Geometry.of(atoms)])
    assert (
        len(
            set(
                np.bincount(
                    get_neighborhood(atoms.positions, CUTOFF, (True,) * 3, atoms.cell.array)[1]
                )
            )
        )
        > 8
    )
    assert edges.capacity == capacity


def test_capacity_grows_when_it_must():
    atoms = silicon()
    edges = VerletList(CUTOFF, edge_capacity_multiplier=1.0)
    edges.update([Geometry.of(atoms)])
    before = edges.capacity
    atoms.set_cell(0.8 * atoms.cell.array, scale_atoms=True)
    edges.update([Geometry.of(atoms)])
    assert edges.capacity.n_edge > before.n_edge
    np.testing.assert_allclose(vectors_within(edges, [atoms]), expected_vectors([atoms]))


def test_a_list_of_earlier_is_made_again():
    atoms = silicon()
    edges, again = VerletList(CUTOFF), VerletList(CUTOFF)
    edges.update([Geometry.of(atoms)])
    atoms.rattle(0.2, seed=4)
    edges.update([Geometry.of(atoms)])
    again.build(edges.references, edges.capacity)
    first, second = edges.padded_vectors(np.float32), again.padded_vectors(np.float32)
    np.testing.assert_array_equal(first.shifts, second.shifts)
    np.testing.assert_array_equal(first.senders, second.senders)
    assert again.reach == edges.reach


def test_positions_that_are_not_finite():
    atoms = silicon()
    atoms.positions[3, 1] = np.nan
    with pytest.raises(UserError, match="not finite"):
        VerletList(CUTOFF).update([Geometry.of(atoms)])
