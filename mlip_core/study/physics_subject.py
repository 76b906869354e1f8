"""What of a dataset the physics checks look at, found by its index and split."""

import os

import numpy as np
from ase.formula import Formula

from mlip_core.data.frame_index import FrameFlag, FrameIndex, read_index
from mlip_core.data.frames import LabelKeys
from mlip_core.data.splits import load_split
from mlip_core.physics.config import StructuresConfig
from mlip_core.physics.subject import Subject, measure_distances, named
from mlip_core.study.frames import iterate_split
from mlip_core.utils.errors import UserError

PathLike = str | os.PathLike[str]


def select_subject(
    index_path: PathLike,
    split_path: PathLike,
    labels: LabelKeys,
    cutoff: float,
    config: StructuresConfig,
) -> Subject:
    """Structures of the test set (of the validation or training set, if there is none).

    See :class:`StructuresConfig`. Compositions of periodic structures are the same if they have the
    same reduced formula.

    Raises:
        UserError: if the splits are empty, or do not belong to the files any more.
    """
    index, rows = read_index(index_path), load_split(split_path).rows
    source = next((name for name in ("test", "valid", "train") if len(rows[name])), None)
    if source is None:
        raise UserError(f"{split_path}: no split has a frame, so there is nothing to check")
    chosen = choose_rows(index, rows[source], config.compositions)
    structures = [
        next(iterate_split(index_path, split_path, source, labels, (), place, place + 1)).atoms
        for place in chosen
    ]
    training = iterate_split(
        index_path, split_path, "train", labels, (), stop=config.distance_frames
    )
    elements, distances = measure_distances((frame.atoms for frame in training), cutoff)
    return Subject(named(structures), elements, distances, cutoff)


def choose_rows(index: FrameIndex, rows: np.ndarray, compositions: int) -> list[int]:
    """Positions in ``rows`` of the frames with the lowest energy per atom of some compositions.

    Args:
        index: of the frames.
        rows: ``[n]``, rows of the index.
        compositions: how many, the most frequent first, of molecules and of periodic structures.
    """
    is_periodic = index.has(FrameFlag.PERIODIC)
    chosen: list[int] = []
    for periodic in (False, True):
        groups: dict[str, list[int]] = {}
        for place in np.flatnonzero(is_periodic[rows] == periodic).tolist():
            name = _composition(index, int(index.composition[rows[place]]), periodic)
            groups.setdefault(name, []).append(place)
        frequent = sorted(groups.values(), key=len, reverse=True)[:compositions]
        chosen += [_lowest(index, rows, places) for places in frequent]
    return chosen


def _lowest(index: FrameIndex, rows: np.ndarray, places: list[int]) -> int:
    """The place of the lowest energy per atom; of the first frame if none has an energy."""
    energies = index.energy[rows[places]] / index.n_atoms[rows[places]]
    return places[int(np.argmin(np.nan_to_num(energies, nan=np.inf)))]


def _composition(index: FrameIndex, number: int, reduced: bool) -> str:
    formula = index.formula(number)
    return Formula(formula).reduce()[0].format("hill") if reduced else formula
