"""A split as structures of their own, in this program's units and under its own keys."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from mlip_core.data.frame_index import FrameFlag, read_index
from mlip_core.data.frames import Frame, LabelKeys
from mlip_core.study.frames import iterate_split


def export_split(
    index_path: str | os.PathLike[str],
    split_path: str | os.PathLike[str],
    name: str,
    labels: LabelKeys,
    require: Sequence[str] = ("energy", "forces"),
) -> Iterator[Atoms]:
    """The frames of a split with the labels that they have; arguments as of ``iterate_split``.

    The training split begins with the dataset's free atoms, from which its atomic energies may be
    taken.
    """
    if name == "train":
        yield from _free_atoms(index_path)
    for frame in iterate_split(index_path, split_path, name, labels, require):
        yield _labelled(frame)


def _free_atoms(index_path: str | os.PathLike[str]) -> Iterator[Atoms]:
    index = read_index(index_path)
    for row in index.free_atoms.tolist():
        if index.flags[row] & FrameFlag.ENERGY:
            number = index.composition_numbers[index.composition_starts[index.composition[row]]]
            atom = Atoms(numbers=[int(number)])
            atom.calc = SinglePointCalculator(
                atom, energy=float(index.energy[row]), forces=np.zeros((1, 3))
            )
            yield atom


def _labelled(frame: Frame) -> Atoms:
    atoms = frame.atoms
    # Other properties may be of kinds that a file cannot hold, and nothing later asks for them.
    atoms.info = {
        key: value
        for key, value in frame.info.items()
        if key == "config_type" and isinstance(value, str)
    }
    results = {"energy": frame.energy, "forces": frame.forces}
    if frame.stress is not None:
        results["stress"] = full_3x3_to_voigt_6_stress(frame.stress)
    known = {name: value for name, value in results.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **known)
    return atoms
