"""Constant-energy dynamics as a test of a potential.

Forces that are the gradient of the energy, and smooth, keep the total energy. That of a
velocity-Verlet trajectory oscillates with the time step squared but has no trend; a trend means
that forces and energy do not belong together, that the potential has kinks (neighbours entering at
the cutoff), or that its numbers are too coarse.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.verlet import VelocityVerlet

from mlip_core.physics.config import NveConfig
from mlip_core.physics.dynamics import draw_velocities, internal_temperature
from mlip_core.physics.relaxing import bare_copy, relax
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Subject, name_of
from mlip_core.utils.seeds import derive_seed

_MEV = 1000.0
_EXPLOSION_FACTOR = 10.0

_PLOTS = (
    Plot(
        title="Total energy",
        x="time_fs",
        y=["total_energy_mev_per_atom"],
        x_label="Time, fs",
        y_label="Total energy - start, meV/atom",
        group="structure",
    ),
    Plot(
        title="Temperature",
        x="time_fs",
        y=["temperature_kelvin"],
        x_label="Time, fs",
        y_label="Temperature, K",
        group="structure",
    ),
)


class _Sample(NamedTuple):
    time_fs: float
    potential_energy_ev: float
    kinetic_energy_ev: float
    total_energy_ev: float
    temperature_kelvin: float


class NveTrajectory(NamedTuple):
    """A trajectory at constant energy.

    Attributes:
        trace: one row per sample with the columns ``time_fs``, ``potential_energy_ev``,
            ``kinetic_energy_ev``, ``total_energy_ev``, ``total_energy_mev_per_atom`` (relative to
            the first sample) and ``temperature_kelvin``.
        explosion: what blew up and when, or empty.
    """

    trace: pd.DataFrame
    explosion: str

    @property
    def drift_mev_per_atom(self) -> float:
        """Slope of the least-squares line through the total energy times the trajectory's length.

        Signed; NaN if there are fewer than two samples, or after an explosion: what it drifted by
        until then says nothing.
        """
        time = self.trace["time_fs"].to_numpy()
        if len(time) < 2 or self.explosion:
            return float("nan")
        energy = self.trace["total_energy_mev_per_atom"].to_numpy()
        return float(np.polyfit(time, energy, 1)[0] * (time[-1] - time[0]))


def check_nve(
    calculator: BaseCalculator, subject: Subject, config: NveConfig, seed: int
) -> CheckResult:
    """Run each structure at constant energy and watch the total energy."""
    runs = {
        name_of(atoms): run_nve(calculator, atoms, config, seed) for atoms in subject.structures
    }
    return CheckResult.of_structures(
        quantities={name: _quantities(run, config) for name, run in runs.items()},
        tables={name: run.trace for name, run in runs.items()},
        plots=_PLOTS,
        note=" ".join(f"{name}: {r.explosion}." for name, r in runs.items() if r.explosion),
    )


def run_nve(
    calculator: BaseCalculator, atoms: Atoms, config: NveConfig, seed: int
) -> NveTrajectory:
    """Run constant-energy dynamics with velocity Verlet.

    Temperatures count only the degrees of freedom without motion as a whole, which the start does
    not have. The run ends early when positions or energies are no longer finite or the temperature
    exceeds ten times the configured one.

    Args:
        calculator: any ASE calculator with energy and forces.
        atoms: the structure, of at least two atoms; it is not changed.
        config: how to run.
        seed: decides the velocities.
    """
    system = bare_copy(atoms)
    if config.start == "relaxed" and config.relax_max_steps:
        limit = config.relax_max_force_ev_per_angstrom
        system = relax(system, calculator, limit, config.relax_max_steps).atoms
    system.calc = calculator
    start_temperature = config.temperature_kelvin * (2.0 if config.start == "relaxed" else 1.0)
    draw_velocities(system, start_temperature, derive_seed(seed, "nve velocities"))
    samples, explosion = _integrate(system, config)
    trace = pd.DataFrame(samples, columns=_Sample._fields)
    total = trace["total_energy_ev"]
    trace["total_energy_mev_per_atom"] = (total - total[0]) / len(system) * _MEV
    return NveTrajectory(trace, explosion)


def _quantities(run: NveTrajectory, config: NveConfig) -> list[Quantity]:
    trace, unit = run.trace, "meV/atom"
    deviation = float(trace["total_energy_mev_per_atom"].abs().max())
    return [
        Quantity.at_most("drift", run.drift_mev_per_atom, config.max_drift_mev_per_atom, unit),
        Quantity.shown("largest deviation", deviation, unit),
        Quantity.shown("mean temperature", float(trace["temperature_kelvin"].mean()), "K"),
        Quantity.shown("simulated time", float(trace["time_fs"].iloc[-1]), "fs"),
    ]


def _integrate(system: Atoms, config: NveConfig) -> tuple[list[_Sample], str]:
    samples = []
    for step, sample in enumerate(_trajectory(system, config)):
        explosion = _find_explosion(system, sample, config)
        if explosion or step % config.sample_interval_steps == 0:
            samples.append(sample)
        if explosion:
            return samples, explosion
    return samples, ""


def _trajectory(system: Atoms, config: NveConfig) -> Iterator[_Sample]:
    """Yield the state before the first step and after each step."""
    dynamics = VelocityVerlet(system, timestep=config.timestep_fs * units.fs, logfile=None)
    for step, _ in enumerate(dynamics.irun(steps=config.num_steps)):
        potential = float(system.get_potential_energy())
        kinetic = float(system.get_kinetic_energy())
        yield _Sample(
            time_fs=step * config.timestep_fs,
            potential_energy_ev=potential,
            kinetic_energy_ev=kinetic,
            total_energy_ev=potential + kinetic,
            temperature_kelvin=internal_temperature(system),
        )


def _find_explosion(system: Atoms, sample: _Sample, config: NveConfig) -> str:
    if not (np.isfinite(sample.total_energy_ev) and np.isfinite(system.positions).all()):
        return f"energy or positions no longer finite after {sample.time_fs:g} fs"
    if sample.temperature_kelvin > _EXPLOSION_FACTOR * config.temperature_kelvin:
        return f"temperature reached {sample.temperature_kelvin:.0f} K after {sample.time_fs:g} fs"
    return ""
