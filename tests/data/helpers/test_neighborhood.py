import itertools
from typing import Any

import numpy as np
import pytest
from vesin import NeighborList

from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.neighborhood import (
    Geometries,
    both_directions,
    get_neighborhood,
    get_pairs,
    get_pairs_of_many,
)
from mlip_core.data.helpers.pair_search import PairSearch
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


def structures_of_all_kinds() -> list[tuple[np.ndarray, tuple[bool, bool, bool], np.ndarray]]:
    """Molecules of one size and of others, large ones, crystals, slabs, in no order."""
    rng = np.random.default_rng(6)
    kinds = list(itertools.product([1, 5, 5, 48, 60], itertools.product([True, False], repeat=3)))
    return [
        (rng.uniform(0, 7, (n_atoms, 3)), pbc, TRICLINIC)
        for n_atoms, pbc in (kinds[i] for i in rng.permutation(len(kinds)))
    ]


def test_pairs_of_many_are_those_of_each() -> None:
    structures = structures_of_all_kinds()
    cutoffs = np.linspace(2.0, CUTOFF, len(structures))
    many = Geometries(
        n_node=np.array([len(positions) for positions, *_ in structures]),
        positions=np.concatenate([positions for positions, *_ in structures]),
        cells=np.array([cell for *_, cell in structures]),
        pbc=np.array([pbc for _, pbc, _ in structures]),
    )
    pairs, counts = get_pairs_of_many(many, cutoffs)
    parts = zip(*(np.split(values, np.cumsum(counts)[:-1]) for values in pairs), strict=True)
    for part, cutoff, structure in zip(parts, cutoffs.tolist(), structures, strict=True):
        for ours, alone in zip(part, get_pairs(structure[0], cutoff, *structure[1:]), strict=True):
            np.testing.assert_array_equal(ours, alone)


def test_a_cutoff_of_zero_finds_nothing() -> None:
    two = Geometries(
        np.array([2, 2]), np.zeros((4, 3)), np.stack([TRICLINIC] * 2), np.eye(2, 3) > 0
    )
    assert get_pairs_of_many(two, np.array([0.0, 0.0]))[1].tolist() == [0, 0]


def test_the_search_finds_what_vesin_finds() -> None:
    """The library is called by declarations of vesin's that are not public: they must be right."""
    structures = [
        (positions, CUTOFF, TRICLINIC, np.array(pbc))
        for positions, pbc, _ in structures_of_all_kinds()
        if all(pbc)
    ]
    counts, *found = PairSearch().search(structures)
    starts = np.cumsum(counts)[:-1]
    for i, (positions, cutoff, cell, pbc) in enumerate(structures):
        search = NeighborList(cutoff=cutoff, full_list=False)
        theirs = search.compute(points=positions, box=cell, periodic=pbc, quantities="PSd")
        for ours, expected in zip(found, theirs, strict=True):
            np.testing.assert_array_equal(np.split(ours, starts)[i], expected)


def test_what_vesin_complains_of_is_said() -> None:
    with pytest.raises(ValueError, match="cutoff"):
        PairSearch().search([(np.zeros((1, 3)), -1.0, np.eye(3), np.ones(3, dtype=bool))])
