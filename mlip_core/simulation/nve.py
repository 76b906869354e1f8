"""Constant-energy dynamics as a test of a potential.

Forces that are the gradient of the energy, and smooth, keep the total energy. That of a
velocity-Verlet trajectory oscillates with the time step squared but has no trend; a trend means
that forces and energy do not belong together, that the potential has kinks (neighbours entering at
the cutoff), or that its numbers are too coarse.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.verlet import VelocityVerlet
from ase.optimize import LBFGS

from mlip_core.simulation.nve_config import NveConfig
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, write_json
from mlip_core.utils.seeds import derive_seed

_MEV = 1000.0
_EXPLOSION_FACTOR = 10.0
# A moment of inertia below this share of the largest one is that of a linear molecule's axis.
_LINEAR = 1e-6


class _Sample(NamedTuple):
    time_fs: float
    potential_energy_ev: float
    kinetic_energy_ev: float
    total_energy_ev: float
    temperature_kelvin: float


@dataclass(frozen=True)
class NveResult:
    """A trajectory's energies and what follows from them.

    Attributes:
        config: how it was run.
        seed: the seed the velocities were drawn from.
        formula: chemical formula of the structure.
        n_atoms: number of atoms.
        trace: one row per sample with the columns ``time_fs``, ``potential_energy_ev``,
            ``kinetic_energy_ev``, ``total_energy_ev``, ``temperature_kelvin``.
        explosion: what blew up and when, or ``None``.
    """

    config: NveConfig
    seed: int
    formula: str
    n_atoms: int
    trace: pd.DataFrame
    explosion: str | None

    @property
    def energy_per_atom_mev(self) -> np.ndarray:
        """Total energy relative to the first sample, ``[n_samples]``, meV/atom."""
        total = self.trace["total_energy_ev"].to_numpy()
        return (total - total[0]) / self.n_atoms * _MEV

    @property
    def drift_mev_per_atom(self) -> float:
        """Slope of the least-squares line through the total energy times the trajectory's length.

        Signed, in meV/atom. NaN if there are fewer than two samples.
        """
        time = self.trace["time_fs"].to_numpy()
        if len(time) < 2:
            return float("nan")
        return float(np.polyfit(time, self.energy_per_atom_mev, 1)[0] * (time[-1] - time[0]))

    @property
    def max_deviation_mev_per_atom(self) -> float:
        """Largest ``|E(t) - E(0)|`` of the samples, meV/atom; it holds the integrator's ripple."""
        return float(np.abs(self.energy_per_atom_mev).max())

    @property
    def passed(self) -> bool:
        """Whether nothing blew up and the drift is below the limit in size."""
        # A NaN drift compares false.
        return (
            self.explosion is None
            and abs(self.drift_mev_per_atom) < self.config.max_drift_mev_per_atom
        )

    def summary(self) -> dict[str, Any]:
        """All but the trace, as finite JSON values (``None`` for what is not a number)."""
        temperature = self.trace["temperature_kelvin"]
        return {
            "passed": self.passed,
            "drift_mev_per_atom": _finite_or_none(self.drift_mev_per_atom),
            "max_deviation_mev_per_atom": _finite_or_none(self.max_deviation_mev_per_atom),
            "mean_temperature_kelvin": _finite_or_none(float(temperature.mean())),
            "max_temperature_kelvin": _finite_or_none(float(temperature.max())),
            "simulated_time_fs": float(self.trace["time_fs"].iloc[-1]),
            "explosion": self.explosion,
            "formula": self.formula,
            "n_atoms": self.n_atoms,
            "seed": self.seed,
            "config": self.config.model_dump(mode="json"),
        }


def run_nve(calculator: Calculator, atoms: Atoms, config: NveConfig, seed: int) -> NveResult:
    """Run constant-energy dynamics with velocity Verlet and watch the total energy.

    Velocities are drawn from the Maxwell-Boltzmann distribution; centre-of-mass motion, and for a
    molecule rotation as a whole, are removed; then they are scaled to the exact start temperature.
    Temperatures count only the degrees of freedom that are left. The run ends early when positions
    or energies are no longer finite or the temperature exceeds ten times the configured one.

    Args:
        calculator: any ASE calculator with energy and forces.
        atoms: the structure; it is not changed.
        config: how to run.
        seed: decides the velocities.

    Raises:
        UserError: if the structure has fewer than two atoms.
    """
    if len(atoms) < 2:
        raise UserError(f"NVE dynamics need at least 2 atoms, {atoms.get_chemical_formula()} has 1")
    system = _bare_copy(atoms, calculator)
    if config.start == "relaxed" and config.relax_max_steps:
        optimizer = LBFGS(system, logfile=os.devnull)
        optimizer.run(fmax=config.relax_max_force_ev_per_angstrom, steps=config.relax_max_steps)
    start_temperature = config.temperature_kelvin * (2.0 if config.start == "relaxed" else 1.0)
    draw_velocities(system, start_temperature, derive_seed(seed, "nve velocities"))

    samples, explosion = _integrate(system, config)
    return NveResult(
        config=config,
        seed=seed,
        formula=system.get_chemical_formula(),
        n_atoms=len(system),
        trace=pd.DataFrame(samples, columns=_Sample._fields),
        explosion=explosion,
    )


def write_nve(directory: str | os.PathLike[str], result: NveResult) -> None:
    """Write ``nve.json`` (:meth:`NveResult.summary`) and ``nve.csv`` (the trace)."""
    with atomic_path(Path(directory) / "nve.csv") as temporary:
        result.trace.to_csv(temporary, index=False, lineterminator="\n")
    write_json(Path(directory) / "nve.json", result.summary())


def draw_velocities(atoms: Atoms, temperature_kelvin: float, seed: int) -> None:
    """Give ``atoms`` thermal velocities without motion as a whole, of exactly this temperature."""
    masses = atoms.get_masses()[:, None]
    normal = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    velocities = np.sqrt(units.kB * temperature_kelvin / masses) * normal
    velocities -= (masses * velocities).sum(axis=0) / masses.sum()
    if not atoms.pbc.any():
        velocities -= _rigid_rotation(atoms, velocities)
    atoms.set_velocities(velocities)
    atoms.set_velocities(velocities * np.sqrt(temperature_kelvin / internal_temperature(atoms)))


def _rigid_rotation(atoms: Atoms, velocities: np.ndarray) -> np.ndarray:
    """The rigid rotation ``[n_atoms, 3]`` that has the angular momentum of ``velocities``."""
    masses = atoms.get_masses()
    arms = atoms.positions - atoms.get_center_of_mass()
    inertia = np.einsum("n,nk,nk->", masses, arms, arms) * np.eye(3)
    inertia -= np.einsum("n,ni,nj->ij", masses, arms, arms)
    angular_momentum = np.einsum("n,ni->i", masses, np.cross(arms, velocities))
    # The pseudo-inverse: a linear molecule has no moment of inertia about its axis.
    omega = np.linalg.pinv(inertia, rcond=_LINEAR, hermitian=True) @ angular_momentum
    return np.cross(omega, arms)


def internal_temperature(atoms: Atoms) -> float:
    """Temperature, K, without translation and, for a molecule, rotation as a whole."""
    return float(
        2.0 * atoms.get_kinetic_energy() / (_internal_degrees_of_freedom(atoms) * units.kB)
    )


def _internal_degrees_of_freedom(atoms: Atoms) -> int:
    translations = 3
    if atoms.pbc.any():
        return 3 * len(atoms) - translations
    moments = atoms.get_moments_of_inertia()
    rotations = int((moments > _LINEAR * moments.max()).sum())
    return 3 * len(atoms) - translations - rotations


def _bare_copy(atoms: Atoms, calculator: Calculator) -> Atoms:
    """The structure alone: without constraints, stored velocities and labels."""
    copy = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.calc = calculator
    return copy


def _integrate(system: Atoms, config: NveConfig) -> tuple[list[_Sample], str | None]:
    samples = []
    for step, sample in enumerate(_trajectory(system, config)):
        explosion = _find_explosion(system, sample, config)
        if explosion or step % config.sample_interval_steps == 0:
            samples.append(sample)
        if explosion:
            return samples, explosion
    return samples, None


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


def _find_explosion(system: Atoms, sample: _Sample, config: NveConfig) -> str | None:
    if not (np.isfinite(sample.total_energy_ev) and np.isfinite(system.positions).all()):
        return f"energy or positions no longer finite after {sample.time_fs:g} fs"
    if sample.temperature_kelvin > _EXPLOSION_FACTOR * config.temperature_kelvin:
        return f"temperature reached {sample.temperature_kelvin:.0f} K after {sample.time_fs:g} fs"
    return None


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
