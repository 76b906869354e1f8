import itertools
from typing import Any

import numpy as np
import pytest

from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.neighborhood import both_directions, get_neighborhood, get_pairs
from tests.data.structures import TRICLINIC

CUTOFF = 4.0

Edge = tuple[int, ...]


def edges_by_hand(
    positions: np.ndarray,
    cutoff: float,
    pbc: tuple[bool, bool, bool] = (False, False, False),
    cell: np.ndarray | None = None,
) -> set[Edge]:
    """All (sender, receiver, *shift), by looking at every image up to twelve cells away."""
    ranges = [range(-12, 13) if periodic else (0,) for periodic in pbc]
    shifts = np.array(list(itertools.product(*ranges)))
    offsets = np.zeros((1, 3)) if cell is None else shifts @ np.asarray(cell)
    vectors = positions[None, None] - positions[None, :, None] + offsets[:, None, None]
    found = np.argwhere(np.linalg.norm(vectors, axis=-1) < cutoff)
    edges = {(i, j, *shifts[k].tolist()) for k, i, j in found.tolist()}
    return edges - {(i, i, 0, 0, 0) for i in range(len(positions))}


def as_set(senders: np.ndarray, receivers: np.ndarray, shifts: np.ndarray) -> set[Edge]:
    rows = np.column_stack([senders, receivers, shifts]).tolist()
    assert len(rows) == len(set(map(tuple, rows)))
    return set(map(tuple, rows))


@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
def test_triclinic_cell_smaller_than_the_cutoff(pbc: Any) -> None:
    rng = np.random.default_rng(1)
    positions = rng.uniform(-8, 8, (3, 3))  # atoms outside the cell
    neighborhood = get_neighborhood(positions, CUTOFF, pbc, TRICLINIC)
    assert as_set(*neighborhood) == edges_by_hand(positions, CUTOFF, pbc, TRICLINIC)


@pytest.mark.parametrize("n_atoms", [2, 48, 49, 120])
def test_molecule_on_both_sides_of_the_switch_of_method(n_atoms: int) -> None:
    positions = np.random.default_rng(n_atoms).uniform(0, 9, (n_atoms, 3))
    assert as_set(*get_neighborhood(positions, CUTOFF)) == edges_by_hand(positions, CUTOFF)


def test_vectors_of_a_cell_are_shorter_than_the_cutoff_and_come_in_pairs() -> None:
    positions = np.random.default_rng(2).uniform(0, 3, (4, 3))
    senders, receivers, shifts = get_neighborhood(positions, CUTOFF, (True,) * 3, TRICLINIC)
    vectors = get_edge_relative_vectors(
        positions, senders, receivers, shifts, TRICLINIC, np.array([len(senders)]), use_np=True
    )
    assert np.linalg.norm(vectors, axis=1).max() < CUTOFF
    back = np.column_stack([receivers, senders, -shifts])
    assert set(map(tuple, back.tolist())) == as_set(senders, receivers, shifts)


@pytest.mark.parametrize("pbc", [None, (True, True, True)])
def test_edges_are_ordered_by_receiver_and_int32(pbc: Any) -> None:
    positions = np.random.default_rng(3).uniform(0, 6, (60, 3))
    neighborhood = get_neighborhood(positions, CUTOFF, pbc, 6 * np.eye(3))
    assert np.all(np.diff(neighborhood[1]) >= 0)
    assert [array.dtype for array in neighborhood] == [np.int32] * 3


def test_cell_of_a_molecule_is_not_read() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    neighborhood = get_neighborhood(positions, CUTOFF, (False,) * 3, 1.5 * np.eye(3))
    assert as_set(*neighborhood) == {(0, 1, 0, 0, 0), (1, 0, 0, 0, 0)}


def test_vectors_of_directions_that_are_not_periodic_may_be_zero() -> None:
    cell = np.diag([3.0, 0.0, 0.0])
    neighborhood = get_neighborhood(np.zeros((1, 3)), CUTOFF, (True, False, False), cell)
    assert as_set(*neighborhood) == {(0, 0, 1, 0, 0), (0, 0, -1, 0, 0)}


@pytest.mark.parametrize("positions", [np.zeros((1, 3)), np.array([[0.0, 0, 0], [50.0, 0, 0]])])
@pytest.mark.parametrize("pbc", [None, (True, True, True)])
def test_no_neighbours(positions: np.ndarray, pbc: Any) -> None:
    senders, receivers, shifts = get_neighborhood(positions, CUTOFF, pbc, 200 * np.eye(3))
    assert senders.shape == receivers.shape == (0,)
    assert shifts.shape == (0, 3)


@pytest.mark.parametrize("cell", [None, np.zeros((3, 3)), np.ones((3, 3))])
def test_periodic_directions_need_independent_cell_vectors(cell: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="cell"):
        get_neighborhood(np.zeros((1, 3)), CUTOFF, (True, True, True), cell)


@pytest.mark.parametrize("seed", range(6))
def test_random_cells_of_any_shape(seed: int) -> None:
    """Left-handed, skewed and flat cells; atoms anywhere; any periodic directions."""
    rng = np.random.default_rng(seed)
    cell = rng.normal(scale=0.9, size=(3, 3)) + np.diag(rng.choice([-3.0, 3.0], 3))
    positions = rng.uniform(-6, 6, (4, 3))
    for pbc in itertools.product([True, False], repeat=3):
        edges = get_neighborhood(positions, 2.5, pbc, cell)
        assert as_set(*edges) == edges_by_hand(positions, 2.5, pbc, cell)


def test_reverse_of_every_edge() -> None:
    positions = np.random.default_rng(4).uniform(0, 3, (4, 3))
    edges = both_directions(get_pairs(positions, CUTOFF, (True, True, False), TRICLINIC))
    np.testing.assert_array_equal(edges.senders[edges.reverse], edges.receivers)
    np.testing.assert_array_equal(edges.receivers[edges.reverse], edges.senders)
    np.testing.assert_array_equal(edges.shifts[edges.reverse], -edges.shifts)
    np.testing.assert_array_equal(edges.reverse[edges.reverse], np.arange(len(edges.senders)))


@pytest.mark.parametrize("periodic", [True, False])
def test_distances_of_pairs(periodic: bool) -> None:
    positions = np.random.default_rng(5).uniform(0, 3, (4, 3))
    pairs = get_pairs(positions, CUTOFF, (periodic,) * 3, TRICLINIC)
    vectors = positions[pairs.second] - positions[pairs.first] + pairs.images @ TRICLINIC
    np.testing.assert_allclose(pairs.distances, np.linalg.norm(vectors, axis=1), rtol=1e-12)
