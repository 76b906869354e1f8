"""How long a potential takes for systems of several sizes."""

import platform
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.verlet import VelocityVerlet

from mlip_core.physics.config import CostConfig
from mlip_core.physics.dynamics import draw_velocities
from mlip_core.physics.relaxing import bare_copy
from mlip_core.simulation.ase import MLIPForceFieldASECalculator
from mlip_core.utils.seeds import derive_seed

_TEMPERATURE_KELVIN = 300.0
_TIMESTEP_FS = 0.5


def measure_cost(
    calculator: BaseCalculator, atoms: Atoms, cutoff: float, config: CostConfig, seed: int
) -> list[dict[str, Any]]:
    """Time steps of dynamics at constant energy, after a first one that may compile.

    Args:
        calculator: any ASE calculator with energy and forces.
        atoms: what the systems are made of.
        cutoff: copies of a molecule are farther apart than this, Å.
        config: which sizes.
        seed: decides the velocities.

    Returns:
        For each size ``n_atoms``, ``seconds_per_step`` (the median), ``microseconds_per_atom`` and
        ``steps_per_second``.
    """
    rows: list[dict[str, Any]] = []
    for copies in config.copies:
        system = replicate(atoms, copies, cutoff)
        if rows and len(system) > config.max_atoms:
            break
        seconds = median(_time_steps(calculator, system, config.steps, seed))
        rows.append(
            {
                "n_atoms": len(system),
                "seconds_per_step": seconds,
                "microseconds_per_atom": 1e6 * seconds / len(system),
                "steps_per_second": 1.0 / seconds,
            }
        )
        if seconds > config.max_seconds_per_step:
            break
    return rows


def device_of(calculator: BaseCalculator) -> str:
    """The name of the device that a calculator computes on; of foreign ones, the processor."""
    if isinstance(calculator, MLIPForceFieldASECalculator):
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return str(device.device_kind)
    return _processor()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def replicate(atoms: Atoms, copies: int, cutoff: float) -> Atoms:
    """At least so many copies of a structure, as compact as it can be.

    Of a periodic one a supercell; of a molecule a lattice of copies out of each other's reach.
    """
    single = bare_copy(atoms)
    if not single.pbc.any():
        # ASE repeats along cell vectors, periodic or not.
        single.set_cell(np.ptp(single.positions, axis=0) + cutoff + 1.0)
        repeated = single.repeat(_repeats(single, copies, np.ones(3, dtype=bool)))[
            : copies * len(single)
        ]
        repeated.set_cell(None)
        return repeated
    return single.repeat(_repeats(single, copies, single.pbc))


def _repeats(atoms: Atoms, copies: int, along: np.ndarray) -> tuple[int, ...]:
    """How often along each cell vector: the one with the shortest side so far comes next."""
    repeats = np.ones(3, dtype=int)
    lengths = np.where(along, atoms.cell.lengths(), np.inf)
    while repeats.prod() < copies:
        repeats[np.argmin(repeats * lengths)] += 1
    return tuple(repeats.tolist())


def _time_steps(
    calculator: BaseCalculator, system: Atoms, steps: int, seed: int
) -> Iterator[float]:
    """Seconds of each step but the first, in which calculators compile and allocate."""
    system.calc = calculator
    draw_velocities(system, _TEMPERATURE_KELVIN, derive_seed(seed, "cost velocities"))
    dynamics = VelocityVerlet(system, timestep=_TIMESTEP_FS * units.fs, logfile=None)
    states = dynamics.irun(steps=steps + 1)
    next(states)
    next(states)
    start = perf_counter()
    for _ in states:
        end = perf_counter()
        yield end - start
        start = end
