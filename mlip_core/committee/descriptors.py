"""Structures as points whose distances say how different they are."""

import numpy as np

from mlip_core.data.frames import Frame
from mlip_core.data.helpers.neighborhood import get_pairs

_BINS_PER_ANGSTROM = 10


def distance_histograms(frames: list[Frame], cutoff: float = 5.0) -> np.ndarray:
    """Histograms of the distances in each structure, by pairs of elements.

    A distance counts in the two bins next to it, the more the nearer, so that histograms are
    continuous functions of the positions; it counts less the farther it is, to nothing at the
    cutoff. Counts are per atom. They do not change under rotation, translation, or exchange of
    equal atoms.

    Args:
        frames: the structures.
        cutoff: the largest distance that counts, Å.

    Returns:
        ``[n_frames, n_pairs_of_elements * n_bins]``.
    """
    elements = np.unique(np.concatenate([frame.numbers for frame in frames]))
    n_pairs, n_bins = len(elements) ** 2, int(cutoff * _BINS_PER_ANGSTROM) + 2
    points = np.zeros((len(frames), n_pairs, n_bins))
    for point, frame in zip(points, frames, strict=True):
        pairs = get_pairs(frame.positions, cutoff, tuple(frame.pbc.tolist()), frame.cell)
        species = np.searchsorted(elements, frame.numbers)
        ends = np.sort([species[pairs.first], species[pairs.second]], axis=0)
        kind = ends[0] * len(elements) + ends[1]
        place = pairs.distances * _BINS_PER_ANGSTROM
        lower = place.astype(int)
        weight = 0.5 * (1 + np.cos(np.pi * pairs.distances / cutoff)) / len(frame)
        np.add.at(point, (kind, lower), weight * (1 - (place - lower)))
        np.add.at(point, (kind, lower + 1), weight * (place - lower))
    return points.reshape(len(frames), -1)


def farthest_points(points: np.ndarray, number: int, first: int = 0) -> list[int]:
    """Rows that are far from each other: each the one farthest from those chosen before.

    Gonzalez, Theoretical Computer Science 38, 293 (1985).

    Args:
        points: ``[n, d]``.
        number: how many to choose, at most n.
        first: the row to begin with.
    """
    chosen = [first]
    nearest = np.linalg.norm(points - points[first], axis=1)
    nearest[first] = -np.inf  # not again, even where all others are copies of those chosen
    while len(chosen) < number:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
        nearest[chosen] = -np.inf
    return chosen
