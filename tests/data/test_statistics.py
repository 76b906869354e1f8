import math

import numpy as np
import pytest

from mlip_core.data.helpers.graph_creation import Structure, make_segment
from mlip_core.data.helpers.graph_store import Segment
from mlip_core.data.statistics import (
    compute_dataset_info,
    find_elements,
    force_rms,
    mean_min_distance,
    mean_neighbors,
)
from mlip_core.utils.errors import UserError

CUTOFF = 2.5


def structure(number: int, distances: list[float], energy: float | None = -1.0) -> Structure:
    """A row of atoms of one element; forces point along it and grow from atom to atom."""
    positions = np.zeros((len(distances) + 1, 3))
    positions[1:, 0] = np.cumsum(distances)
    forces = np.zeros_like(positions)
    forces[:, 0] = np.arange(len(positions))
    numbers = np.full(len(positions), number)
    return Structure(numbers, positions, None, None, 1.0, energy, forces, None)


# A dimer, a lone pair of atoms too far from each other, one atom, a chain.
STRUCTURES = [
    structure(1, [1.0], -2.0),
    structure(1, [9.0], -2.5),
    structure(8, [], -5.0),
    structure(8, [2.0, 1.5], -16.0),
]


def segments(size: int) -> list[Segment]:
    starts = range(0, len(STRUCTURES), size)
    return [make_segment(STRUCTURES[i : i + size], CUTOFF) for i in starts]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_statistics_by_hand_whatever_the_segments(size: int) -> None:
    parts = segments(size)
    assert find_elements(parts) == [1, 8]
    assert mean_neighbors(parts) == 6 / 8, "atoms without neighbours count"
    assert mean_min_distance(parts) == (1.0 + 1.5) / 2, "structures without edges do not"
    assert force_rms(parts) == math.sqrt((1 + 1 + 0 + 1 + 4) / (3 * 8))
    info = compute_dataset_info(parts, CUTOFF, energy_scale="force_rms")
    assert info.scaling_stdev == force_rms(parts)
    np.testing.assert_allclose(info.atomic_energies, [-9 / 8, -53 / 10], rtol=1e-14)
    assert info == compute_dataset_info(segments(4), CUTOFF, energy_scale="force_rms")


def test_energies_that_are_missing_do_not_count() -> None:
    without = [structure(1, [1.0], None), *STRUCTURES]
    info = compute_dataset_info([make_segment(without, CUTOFF)], CUTOFF)
    assert info.atomic_energies_map == compute_dataset_info(segments(4), CUTOFF).atomic_energies_map


def test_scale_by_number_and_default() -> None:
    assert compute_dataset_info(segments(4), CUTOFF, energy_scale=0.25).scaling_stdev == 0.25
    info = compute_dataset_info(segments(4), CUTOFF)
    assert (info.scaling_mean, info.scaling_stdev) == (0.0, 1.0)


def test_statistics_that_are_given_are_kept() -> None:
    info = compute_dataset_info(segments(4), CUTOFF, avg_num_neighbors=7.5, avg_r_min_angstrom=0.3)
    assert (info.avg_num_neighbors, info.avg_r_min_angstrom) == (7.5, 0.3)


def test_scale_by_forces_that_are_all_zero() -> None:
    with pytest.raises(UserError, match="not all zero"):
        compute_dataset_info(
            [make_segment([STRUCTURES[2]], CUTOFF)], CUTOFF, energy_scale="force_rms"
        )


def test_nothing() -> None:
    with pytest.raises(UserError, match="training set is empty"):
        compute_dataset_info([make_segment([], CUTOFF)], CUTOFF)
    assert mean_min_distance([]) is force_rms([]) is None
    assert mean_neighbors([]) == 0.0
