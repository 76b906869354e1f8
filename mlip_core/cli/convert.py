"""``mlip-core convert``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_core.cli.options import (
    XYZ_SUFFIXES,
    Force,
    Labels,
    Output,
    Structures,
    check_output,
    label_keys,
)
from mlip_core.cli.structures import iterate_structures
from mlip_core.utils.files import atomic_path

if TYPE_CHECKING:
    from mlip_core.data.frames import Frame

_HDF5_SUFFIXES = (".h5", ".hdf5")


def convert(
    structures: Structures,
    output: Output,
    label: Labels = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most structures.", show_default=False)
    ] = None,
    force: Force = False,
) -> None:
    """Convert structures and labels to XYZ or HDF5.

    The units are eV, Å and eV/Å³. The output's labels have the keys energy, forces and stress
    (positive under tension), whatever the input calls them, and every number all its digits. The
    name of the output says the format: .xyz, .extxyz, .h5 or .hdf5. Memory does not grow with the
    number of structures.

    Examples:
      mlip-core convert OUTCAR -o train.xyz
      mlip-core convert a.xyz b.xyz -o all.h5
      mlip-core convert md.xyz -o train.h5 --label energy_key=TotEnergy --label energy_unit=Hartree
    """
    check_output(output, XYZ_SUFFIXES + _HDF5_SUFFIXES, structures, force)
    frames = iterate_structures(structures, label_keys(label, may_be_missing=True))
    writer = _hdf5_writer if output.suffix.lower() in _HDF5_SUFFIXES else _xyz_writer
    counts = dict.fromkeys(("structures", "energy", "forces", "stress"), 0)
    with writer(output) as write:
        for frame in islice(frames, limit):
            write(frame)
            counts["structures"] += 1
            for name in ("energy", "forces", "stress"):
                counts[name] += frame.label(name) is not None
    numbers = ", ".join(f"{name} in {counts[name]}" for name in ("energy", "forces", "stress"))
    typer.echo(f"{counts['structures']} structures ({numbers}) -> {output}")


@contextmanager
def _xyz_writer(path: Path) -> "Iterator[Callable[[Frame], None]]":
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    from mlip_core.reference.extxyz import format_frame

    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:

        def write(frame: "Frame") -> None:
            atoms = frame.atoms
            atoms.info = _simple_info(frame)
            results = _labels(frame)
            if "stress" in results:
                results["stress"] = full_3x3_to_voigt_6_stress(results["stress"])
            atoms.calc = SinglePointCalculator(atoms, **results)
            file.write(format_frame(atoms))

        yield write


@contextmanager
def _hdf5_writer(path: Path) -> "Iterator[Callable[[Frame], None]]":
    """The layout of :mod:`mlip_core.data.frames.hdf5`; groups are read in the order of names."""
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w", track_order=False) as file:

        def write(frame: "Frame") -> None:
            group = file.create_group(f"structure_{len(file):09d}")
            group["positions"] = frame.positions
            group["elements"] = frame.numbers
            if frame.pbc.any():
                group["cell"], group["pbc"] = frame.cell, frame.pbc
            for name, value in _labels(frame).items():
                if name == "energy":
                    group.attrs[name] = value
                else:
                    group[name] = value
            group.attrs.update(_simple_info(frame))

        yield write


def _labels(frame: "Frame") -> dict[str, Any]:
    values = {name: frame.label(name) for name in ("energy", "forces", "stress")}
    return {name: value for name, value in values.items() if value is not None}


def _simple_info(frame: "Frame") -> dict[str, Any]:
    """Properties that both formats can hold, but the labels, which are written in our units."""
    return {
        key: value
        for key, value in frame.info.items()
        if isinstance(value, str | int | float | bool) and key not in ("energy", "stress")
    }
