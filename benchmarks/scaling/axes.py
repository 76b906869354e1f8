"""What grows: one property of structures, batches, network or machine at a time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from benchmarks.data.cases import OURS as OUR_DATA
from benchmarks.data.cases import TASKS as DATA_TASKS
from benchmarks.models.cases import CUTOFF_ANGSTROM, MACE
from benchmarks.models.participants import OURS, Participant

LATTICE_ANGSTROM = 5.43
DISPLACEMENT_ANGSTROM = 0.05
BATCHES = 2
"""How many batches there are to take turns."""

TASKS = {"train": "training step", "single": "one structure"}


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
        count: of structures; ``None``: as many as there are in ``BATCHES`` steps.
    """

    size: float
    atoms: Atoms
    batch_size: int = 1
    cutoff: float = CUTOFF_ANGSTROM
    network: dict[str, Any] | None = None
    devices: int = 1
    count: int | None = None

    def structures_of(self, task: str) -> int:
        """How many structures a task computes at once."""
        return 1 if task == "single" else self.count or self.batch_size * self.devices

    def to_case(self, directory: Path, threads: int) -> dict[str, Any]:
        """What our runners need to know; writes the structures into a directory."""
        count = self.count or BATCHES * self.batch_size * self.devices
        file = directory / "structures.xyz"
        write(file, _displaced(self.atoms, count), format="extxyz")
        return {
            "library": OUR_DATA.variant,
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
        tasks: labels of what is timed, by the names that ``protocol.Program.run`` knows.
        against: what the power law is of: "size", or the "edges" that come of it.
        runner: the program that is timed.
    """

    name: str
    label: str
    points: list[Point]
    tasks: dict[str, str] = field(default_factory=lambda: TASKS)
    against: str = "size"
    runner: Participant = OURS


def axes() -> list[Axis]:
    """All that is measured: MACE as in ``benchmarks.models`` unless that is what grows."""
    training = {"train": TASKS["train"]}
    ether = molecule("CH3CH2OCH3")
    cell = _silicon(2)
    return [
        Axis("atoms", "atoms of a cell", [_cell_of(repeats) for repeats in (1, 2, 3, 4, 5)]),
        Axis(
            "edges",
            "cutoff for 64 atoms, Å",
            [Point(r, cell, cutoff=r) for r in (3.0, 4.0, 5.0, 6.0, 7.0)],
            against="edges",
        ),
        Axis(
            "batch",
            "molecules in a batch",
            [Point(size, ether, batch_size=size) for size in (1, 2, 4, 8, 16, 32, 64)],
            tasks=training,
        ),
        Axis(
            "dataset",
            "molecules of a dataset",
            [Point(n, ether, batch_size=10, count=n) for n in (1000, 2000, 4000, 8000, 16000)],
            tasks=DATA_TASKS,
            runner=OUR_DATA,
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
            "devices, ten molecules each",
            [Point(size, ether, batch_size=10, devices=size) for size in (1, 2, 4)],
            tasks=training,
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
