"""What is simulated: three systems with one network, and by whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from benchmarks.models.cases import CUTOFF_ANGSTROM, MACE
from benchmarks.models.participants import HERE, Participant

_MACE_ONLY = frozenset({"mace"})


@dataclass(frozen=True)
class System:
    """A structure to simulate.

    Attributes:
        name: as tables show it.
        steps: of dynamics that are timed at once.
    """

    name: str
    steps: int

    def atoms(self, data: Path) -> Atoms:
        """The structure without labels, made from the benchmarks' data."""
        if self.name == "acac-15":
            frame = read(data / "acac" / "train_300K.xyz", 0)
        elif self.name == "silicon-64":
            frame = next(
                frame for frame in read(data / "silicon" / "train.xyz", ":") if len(frame) == 64
            )
        else:
            frame = bulk("Si", "diamond", a=5.43, cubic=True).repeat(4)
            rng = np.random.default_rng(0)
            frame.positions += rng.normal(scale=0.05, size=frame.positions.shape)
        return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)


SYSTEMS = (System("acac-15", 100), System("silicon-64", 20), System("silicon-512", 2))


class Simulator(Participant):
    """A library's way to run dynamics."""

    @property
    def runner(self) -> Path:
        """The program that speaks for it."""
        return HERE / "peers" / self.peer / "dynamics.py"


ASE_ENGINE, JAX_ENGINE = "ase", "jax"
OURS_ASE = Simulator("mlip-core, ASE", "ours", _MACE_ONLY, ASE_ENGINE)
OURS_JAX = Simulator("mlip-core, JAX", "ours", _MACE_ONLY, JAX_ENGINE)
PEERS = (
    Simulator("mlip 0.1.10, ASE", "mlip01", _MACE_ONLY, ASE_ENGINE),
    Simulator("mlip 0.1.10, JAX", "mlip01", _MACE_ONLY, JAX_ENGINE),
    Simulator("mace-torch 0.3.16, ASE", "mace_torch", _MACE_ONLY, "eager"),
    Simulator("mace-torch 0.3.16 compiled, ASE", "mace_torch", _MACE_ONLY, "compile"),
)
PEER_NAMES = tuple(dict.fromkeys(peer.peer for peer in PEERS))


def choose(peers: Iterable[str]) -> list[Simulator]:
    """Both of our engines and those of the peers of these directories."""
    wanted = set(peers)
    return [OURS_ASE, OURS_JAX, *(peer for peer in PEERS if peer.peer in wanted)]


def request(system: System, structure: Path, threads: int, variant: str) -> dict[str, Any]:
    """What a runner needs to know.

    Forces are made small and friction strong: atoms tremble as fast as at 300 K, so that lists of
    neighbours are as short-lived as in real dynamics, but an untrained network cannot tear them
    apart.

    Args:
        system: what is simulated.
        structure: its file.
        threads: how many threads to use.
        variant: which of the runner's ways.
    """
    return {
        "structure": str(structure),
        "network": MACE,
        "cutoff": CUTOFF_ANGSTROM,
        "avg_num_neighbors": 13.0 if system.name == "acac-15" else 28.0,
        "avg_r_min": 1.1 if system.name == "acac-15" else 2.3,
        "energy_scale": 1e-2,
        "steps": system.steps,
        "timestep_fs": 0.5,
        "temperature_kelvin": 300.0,
        "friction": 10.0,
        "threads": threads,
        "variant": variant,
    }
