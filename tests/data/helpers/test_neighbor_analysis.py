import jraph
import numpy as np
import pytest

from mlip_core.data.helpers.neighbor_analysis import (
    compute_avg_min_neighbor_distance,
    compute_avg_num_neighbors,
)
from tests.data.structures import copper, graph_of, water


def water_with_far_hydrogen(distance: float = 0.9) -> jraph.GraphsTuple:
    atoms = water(0)
    atoms.positions = [[0, 0, 0], [distance, 0, 0], [50, 0, 0]]
    return graph_of(atoms)


def test_atoms_without_neighbours_count() -> None:
    together = graph_of(water(0))
    assert compute_avg_num_neighbors([together]) == 2
    assert compute_avg_num_neighbors([together, water_with_far_hydrogen()]) == (6 + 2) / 6
    assert compute_avg_num_neighbors([graph_of(water(0)[[0]])]) == 0
    assert compute_avg_num_neighbors([]) == 0


def test_mean_over_structures_of_the_smallest_distance() -> None:
    lone = graph_of(water(0)[[0]])
    assert compute_avg_min_neighbor_distance([water_with_far_hydrogen(), lone]) == pytest.approx(
        0.9, rel=1e-14
    )
    both = [water_with_far_hydrogen(), water_with_far_hydrogen(0.7)]
    assert compute_avg_min_neighbor_distance(both) == pytest.approx(0.8, rel=1e-14)
    assert compute_avg_min_neighbor_distance([lone]) is None


def test_smallest_distance_across_the_boundary() -> None:
    atoms = copper(0)[[0]]
    atoms.set_cell(np.diag([2.0, 5.0, 5.0]))
    assert compute_avg_min_neighbor_distance([graph_of(atoms)]) == pytest.approx(2.0, rel=1e-14)
