"""Statistics of graphs, exact and independent of how the graphs are shared out between segments.

Sums are of whole numbers, or of one number for each structure without rounding in between. Segments
are passed through one after the other, several times, and need not be in memory together.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.helpers.atomic_energies import (
    fit_in_chunks,
    parse_atomic_energies,
    require_elements,
)
from mlip_core.data.helpers.graph_store import Segment
from mlip_core.utils.errors import UserError

AtomicEnergies = Literal["least_squares"] | Mapping[str | int, float]
EnergyScale = Literal["none", "force_rms"] | float


def compute_dataset_info(
    segments: Iterable[Segment],
    cutoff_angstrom: float,
    atomic_energies: AtomicEnergies = "least_squares",
    avg_num_neighbors: float | None = None,
    avg_r_min_angstrom: float | None = None,
    energy_scale: EnergyScale = "none",
) -> DatasetInfo:
    """What a model has to know of its training set.

    Args:
        segments: the training set, with atomic numbers as codes; iterated several times.
        cutoff_angstrom: of the graphs, Å.
        atomic_energies: "least_squares", or energies in eV by element.
        avg_num_neighbors: instead of the training set's.
        avg_r_min_angstrom: instead of the training set's, Å.
        energy_scale: factor on atoms' energies: a number, or "force_rms", the root mean square of
            the forces' components in eV/Å.

    Raises:
        UserError: if there is no structure, or what a statistic is to be made from is missing.
    """
    elements = find_elements(segments)
    if not elements:
        raise UserError("the training set is empty; give the split more training frames")
    n_neighbors = mean_neighbors(segments) if avg_num_neighbors is None else avg_num_neighbors
    r_min = mean_min_distance(segments) if avg_r_min_angstrom is None else avg_r_min_angstrom
    return DatasetInfo(
        atomic_energies_map=_resolve_energies(atomic_energies, segments, elements),
        cutoff_distance_angstrom=cutoff_angstrom,
        avg_num_neighbors=n_neighbors,
        avg_r_min_angstrom=r_min,
        scaling_stdev=_resolve_scale(energy_scale, segments),
    )


def find_elements(segments: Iterable[Segment]) -> list[int]:
    """Atomic numbers that occur, ascending."""
    present = np.zeros(256, dtype=bool)
    for segment in segments:
        present |= np.bincount(segment.codes, minlength=256) > 0
    return np.flatnonzero(present).tolist()


def mean_neighbors(segments: Iterable[Segment]) -> float:
    """Edges by atoms; atoms without neighbours count."""
    n_node = n_edge = 0
    for segment in segments:
        n_node += int(segment.n_node.sum(dtype=np.int64))
        n_edge += int(segment.n_edge.sum(dtype=np.int64))
    return n_edge / n_node if n_node else 0.0


def mean_min_distance(segments: Iterable[Segment]) -> float | None:
    """Mean of the smallest distance of two atoms, Å, over structures that have edges."""
    return _mean(segments, lambda segment: segment.min_distance[segment.n_edge > 0])


def force_rms(segments: Iterable[Segment]) -> float | None:
    """Root mean square of the components of all forces, eV/Å; ``None`` if there are none."""
    n_components = 0
    for segment in segments:
        if "forces" in segment.labels:
            n_components += 3 * int(segment.n_node[segment.is_labelled("forces")].sum())
    if not n_components:
        return None
    squares = _values(segments, lambda s: s.labelled("force_squares"))
    return math.sqrt(math.fsum(squares) / n_components)


def _values(
    segments: Iterable[Segment], of_segment: Callable[[Segment], np.ndarray]
) -> Iterator[float]:
    for segment in segments:
        yield from of_segment(segment).tolist()


def _mean(segments: Iterable[Segment], of_segment: Callable[[Segment], np.ndarray]) -> float | None:
    count = sum(len(of_segment(segment)) for segment in segments)
    return math.fsum(_values(segments, of_segment)) / count if count else None


def _resolve_energies(
    setting: AtomicEnergies, segments: Iterable[Segment], elements: list[int]
) -> dict[int, float]:
    if isinstance(setting, Mapping):
        return require_elements(parse_atomic_energies(setting), elements)
    labelled = (s.is_labelled("energy").any() for s in segments if "energy" in s.labels)
    if not any(labelled):
        raise UserError("atomic energies: the dataset has no energies; give them by element")
    symbols = [chemical_symbols[z] for z in elements]
    fitted = fit_in_chunks(lambda: _compositions(segments, elements), symbols)
    return dict(zip(elements, fitted.tolist(), strict=True))


def _compositions(
    segments: Iterable[Segment], elements: list[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Atoms of each element in each structure that has an energy, and the energies."""
    column = np.full(256, -1)
    column[elements] = np.arange(len(elements))
    for segment in segments:
        structure = np.repeat(np.arange(len(segment)), segment.n_node)
        cells = structure * len(elements) + column[segment.codes]
        counts = np.bincount(cells, minlength=len(segment) * len(elements))
        has_energy = segment.is_labelled("energy")
        yield counts.reshape(len(segment), -1)[has_energy], segment.labelled("energy")


def _resolve_scale(setting: EnergyScale, segments: Iterable[Segment]) -> float:
    if setting == "none":
        return 1.0
    if setting != "force_rms":
        return float(setting)
    scale = force_rms(segments)
    if not scale:
        raise UserError(
            "energy_scale: force_rms needs forces that are not all zero; set it to none or a number"
        )
    return scale
