"""The structures of a dataset, apart from the free atoms that stand in the same files."""

import os
from collections.abc import Sequence

from mlip_core.data.frames import Frame, LabelKeys, read_frames
from mlip_core.utils.errors import UserError


def read_structures(
    paths: Sequence[str | os.PathLike[str]],
    labels: LabelKeys,
    require: Sequence[str] = ("energy", "forces"),
) -> list[Frame]:
    """All frames but the free atoms: what is checked, split, trained on and tested.

    Raises:
        UserError: see ``read_frames``; or if there are only free atoms.
    """
    frames = [frame for frame in read_frames(paths, labels, require) if not is_free_atom(frame)]
    if not frames:
        raise UserError(f"{', '.join(map(str, paths))}: only free atoms; give structures as well")
    return frames


def read_free_atom_energies(
    paths: Sequence[str | os.PathLike[str]], labels: LabelKeys
) -> dict[int, float]:
    """Energies of the free atoms, eV, by atomic number.

    Raises:
        UserError: if there is none, one has no energy, or two of an element differ.
    """
    energies: dict[int, float] = {}
    for frame in filter(is_free_atom, read_frames(paths, labels, require=())):
        number = int(frame.numbers[0])
        if frame.energy is None:
            raise UserError(f"{frame.place}: free atom without energy {labels.energy_key!r}")
        if energies.setdefault(number, frame.energy) != frame.energy:
            raise UserError(f"{frame.place}: another energy than an earlier atom of its element")
    if not energies:
        raise UserError(
            f"{', '.join(map(str, paths))}: no frame of a single atom; add them, or set "
            "atomic_energies to least_squares or to the energies"
        )
    return energies


def is_free_atom(frame: Frame) -> bool:
    """Whether a frame is one atom and not periodic."""
    return len(frame) == 1 and not frame.pbc.any()
