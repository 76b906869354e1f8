"""What is measured: datasets, networks, and the pairs of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

CUTOFF_ANGSTROM = 5.0
LARGE_CELL = "silicon-512"


@dataclass(frozen=True)
class Dataset:
    """Structures and how they are batched.

    Attributes:
        file: under the directory of the data.
        num_structures: how many of its first structures are used.
        batch_size: structures in a batch of training and evaluation.
        stress: whether stress is predicted and part of the loss.
        max_nodes: for libraries that pad batches, atoms of a structure; ``None``: their choice.
        max_edges: the same for directed edges. Their own choice is the median, which leaves a batch
            of equal molecules a fifth empty: here it is the largest number, so that all are full.
    """

    file: str
    num_structures: int
    batch_size: int
    stress: bool = False
    max_nodes: int | None = None
    max_edges: int | None = None


@dataclass(frozen=True)
class Case:
    """A network on a dataset.

    Attributes:
        architecture: "mace", "nequip" or "visnet".
        network: its hyperparameters, named as in the configs of ``mlip_core.models``.
        dataset: name in ``DATASETS``.
        variation: what differs from the standard network; empty for that.
    """

    architecture: str
    network: dict[str, Any]
    dataset: str
    variation: str = ""

    @property
    def name(self) -> str:
        """E.g. ``acac-mace-64channels``."""
        return "-".join(filter(None, (self.dataset, self.architecture, self.variation)))

    def to_json(self, data: Path, threads: int, variant: str) -> dict[str, Any]:
        """What a runner needs to know.

        Args:
            data: directory of the data.
            threads: how many threads to use.
            variant: which of the runner's ways to run the network.
        """
        dataset = DATASETS[self.dataset]
        return {
            "architecture": self.architecture,
            "network": self.network,
            "file": str(data / dataset.file),
            "num_structures": dataset.num_structures,
            "batch_size": dataset.batch_size,
            "stress": dataset.stress,
            "max_nodes": dataset.max_nodes,
            "max_edges": dataset.max_edges,
            "cutoff": CUTOFF_ANGSTROM,
            "threads": threads,
            "variant": variant,
        }


DATASETS = {
    "acac": Dataset("acac/train_300K.xyz", 450, 10, max_nodes=15, max_edges=192),
    "silicon": Dataset("silicon/train.xyz", 214, 4, stress=True),
    LARGE_CELL: Dataset("large_cell.xyz", 4, 1, stress=True),
}

MACE: dict[str, Any] = {
    "num_channels": 32,
    "l_max": 3,
    "node_symmetry": 1,
    "correlation": 3,
    "num_layers": 2,
}
NEQUIP: dict[str, Any] = {
    "num_layers": 3,
    "node_irreps": "32x0e + 32x0o + 32x1o + 32x1e + 16x2e + 16x2o",
    "l_max": 2,
}
VISNET: dict[str, Any] = {"num_layers": 3, "num_channels": 64}
NETWORKS = {"mace": MACE, "nequip": NEQUIP, "visnet": VISNET}


def standard_cases() -> list[Case]:
    """Each architecture on molecules and on crystals."""
    return [
        Case(architecture, network, dataset)
        for dataset in ("acac", "silicon")
        for architecture, network in NETWORKS.items()
    ]


def size_cases() -> list[Case]:
    """Other numbers of channels, other degrees, and a large cell."""
    variations = (
        ("mace", "64channels", {"num_channels": 64}),
        ("mace", "128channels", {"num_channels": 128}),
        ("mace", "l2", {"l_max": 2}),
        ("nequip", "64channels", {"node_irreps": _nequip_irreps(64)}),
        ("nequip", "128channels", {"node_irreps": _nequip_irreps(128)}),
        ("nequip", "l3", {"l_max": 3, "node_irreps": f"{_nequip_irreps(32)} + 8x3o + 8x3e"}),
        ("visnet", "128channels", {"num_channels": 128}),
        ("visnet", "l3", {"l_max": 3}),
    )
    return [
        *(
            Case(architecture, NETWORKS[architecture] | changes, "acac", name)
            for architecture, name, changes in variations
        ),
        *(Case(name, network, LARGE_CELL) for name, network in NETWORKS.items()),
    ]


def _nequip_irreps(channels: int) -> str:
    half = channels // 2
    return f"{channels}x0e + {channels}x0o + {channels}x1o + {channels}x1e + {half}x2e + {half}x2o"


def write_large_cell(path: Path) -> None:
    """Thermally disordered cells of 512 silicon atoms, with labels for their shape alone.

    Neither energies nor forces mean anything: what they are does not change the time of a step.
    """
    generator = np.random.default_rng(0)
    write(path, [_disordered_silicon(generator) for _ in range(4)], format="extxyz")


def _disordered_silicon(generator: np.random.Generator) -> Atoms:
    atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(4)
    atoms.positions += generator.normal(scale=0.05, size=atoms.positions.shape)
    forces = generator.normal(size=atoms.positions.shape)
    energy = -5.0 * len(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=np.zeros(6))
    return atoms
