"""What grows: one property of structures, batches, network or machine at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from benchmarks.models.cases import CUTOFF_ANGSTROM, MACE

LATTICE_ANGSTROM = 5.43
DISPLACEMENT_ANGSTROM = 0.05
BATCHES = 2
"""How many batches there are to take turns."""


@dataclass(frozen=True)
class Point:
    """One size.

    Attributes:
        size: on the axis.
        atoms: of the structures.
        batch_size: structures in a batch of each device.
        cutoff: of edges, Å.
        network: hyperparameters of MACE.
        devices: that share a step.
    """

    size: float
    atoms: Atoms
    batch_size: int = 1
    cutoff: float = CUTOFF_ANGSTROM
    network: dict[str, Any] | None = None
    devices: int = 1

    def to_case(self, directory: Path, threads: int) -> dict[str, Any]:
        """What our runner needs to know; writes the structures into a directory."""
        count = BATCHES * self.batch_size * self.devices
        file = directory / "structures.xyz"
        write(file, _displaced(self.atoms, count), format="extxyz")
        return {
            "architecture": "mace",
            "network": MACE if self.network is None else self.network,
            "file": str(file),
            "num_structures": count,
            "batch_size": self.batch_size,
            "stress": False,
            "max_nodes": None,
            "max_edges": None,
            "cutoff": self.cutoff,
            "threads": threads,
            "variant": "default",
        }


@dataclass(frozen=True)
class Axis:
    """Points that differ in one property.

    Attributes:
        name: what grows.
        label: of the axis in a plot.
        points: the sizes.
        tasks: what is timed, named as in ``protocol.Program.run``.
    """

    name: str
    label: str
    points: list[Point]
    tasks: tuple[str, ...] = ("train", "single")


def axes() -> list[Axis]:
    """All that is measured: MACE as in ``benchmarks.models`` unless that is what grows."""
    ether = molecule("CH3CH2OCH3")
    cell = _silicon(2)
    return [
        Axis("atoms", "atoms of a cell", [_cell_of(repeats) for repeats in (1, 2, 3, 4, 5)]),
        Axis("cutoff", "cutoff, Å", [Point(r, cell, cutoff=r) for r in (3.0, 4.0, 5.0, 6.0, 7.0)]),
        Axis(
            "batch",
            "molecules in a batch",
            [Point(size, ether, batch_size=size) for size in (1, 2, 4, 8, 16, 32, 64)],
            tasks=("train",),
        ),
        Axis(
            "channels",
            "channels",
            [
                Point(size, ether, batch_size=10, network=MACE | {"num_channels": size})
                for size in (16, 32, 64, 128)
            ],
        ),
        Axis(
            "devices",
            "devices, a batch of ten molecules each",
            [Point(size, ether, batch_size=10, devices=size) for size in (1, 2, 4)],
            tasks=("train",),
        ),
    ]


def _cell_of(repeats: int) -> Point:
    atoms = _silicon(repeats)
    return Point(len(atoms), atoms)


def _silicon(repeats: int) -> Atoms:
    return bulk("Si", "diamond", a=LATTICE_ANGSTROM, cubic=True).repeat(repeats)


def _displaced(atoms: Atoms, count: int) -> list[Atoms]:
    """Structures with labels for their shape alone: they do not change the time of a step."""
    generator = np.random.default_rng(0)
    copies = []
    for _ in range(count):
        copy = atoms.copy()
        copy.positions += generator.normal(scale=DISPLACEMENT_ANGSTROM, size=atoms.positions.shape)
        forces = generator.normal(size=atoms.positions.shape)
        energy = float(generator.normal() - 5.0 * len(atoms))
        copy.calc = SinglePointCalculator(copy, energy=energy, forces=forces)
        copies.append(copy)
    return copies
