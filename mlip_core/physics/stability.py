"""Dynamics with a thermostat as a test of a potential: structures have to stay together.

Low errors on test structures do not say what happens off them: dynamics find the places where a
potential lets atoms fall into each other or fly apart (Fu et al., Trans. Mach. Learn. Res., 2023).
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculatorError
from ase.data import covalent_radii
from ase.md.langevin import Langevin

from mlip_core.data.helpers.neighborhood import get_pairs
from mlip_core.physics.config import StabilityConfig
from mlip_core.physics.dynamics import draw_velocities
from mlip_core.physics.relaxing import bare_copy
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Subject, name_of
from mlip_core.utils.seeds import derive_seed

_EXPLOSION_FACTOR = 10.0
# Nuclei are nearer than this share of the sum of their covalent radii in no matter that we know.
_COLLAPSED = 0.5
# N, O, F, S, Cl, Br, I: protons go from one to another over low barriers.
_PROTON_HOSTS = (7, 8, 9, 16, 17, 35, 53)
# Two atoms that were not bonded have formed a bond when they touch.
_FORMED = 1.0

_PLOTS = (
    Plot(
        title="Longest bond, relative to its length in the start",
        x="time_fs",
        y=["largest_stretch"],
        x_label="Time, fs",
        y_label="Length / length in the start",
        group="trajectory",
    ),
    Plot(
        title="Temperature",
        x="time_fs",
        y=["temperature_kelvin"],
        x_label="Time, fs",
        y_label="Temperature, K",
        group="trajectory",
    ),
)


class _Sample(NamedTuple):
    time_fs: float
    potential_energy_ev: float
    temperature_kelvin: float
    largest_stretch: float
    smallest_distance: float


class Bonds(NamedTuple):
    """The bonds of a structure.

    Attributes:
        first: ``[n_bonds]``, atoms.
        second: ``[n_bonds]``, atoms.
        images: ``[n_bonds, 3]``, by how many cell vectors the second atom is displaced.
        lengths: ``[n_bonds]``, Å.
    """

    first: np.ndarray
    second: np.ndarray
    images: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, factor: float) -> Self:
        """Pairs of atoms nearer than ``factor`` times the sum of their covalent radii."""
        radii = covalent_radii[atoms.numbers]
        pairs = get_pairs(
            atoms.positions, 2 * factor * radii.max(), tuple(atoms.pbc), atoms.cell.array
        )
        near = pairs.distances < factor * (radii[pairs.first] + radii[pairs.second])
        return cls(*(column[near] for column in pairs))

    def stretches(self, atoms: Atoms) -> np.ndarray:
        """``[n_bonds]``, how long the bonds are, relative to what they were.

        Atoms must not have been wrapped back into the cell since then.
        """
        vectors = atoms.positions[self.second] - atoms.positions[self.first]
        vectors += self.images @ atoms.cell.array
        return np.linalg.norm(vectors, axis=1) / self.lengths

    def broken(self, atoms: Atoms, factor: float, bond_factor: float) -> np.ndarray:
        """``[n_bonds]``, which are longer than ``factor`` times what they were.

        But for those of a proton that has gone over to another atom: this is no failure of a
        potential but chemistry, as in acetylacetone, whose two oxygen atoms share one.
        """
        long = self.stretches(atoms) > factor
        if not long.any():
            return long
        now = Bonds.of(atoms, bond_factor)
        hosts = np.isin(atoms.numbers, _PROTON_HOSTS)
        held = np.zeros(len(atoms), dtype=bool)
        held[now.first[hosts[now.second]]] = True
        held[now.second[hosts[now.first]]] = True
        protons = held & (atoms.numbers == 1)
        first, second = self.first, self.second
        return long & ~((protons[first] & hosts[second]) | (protons[second] & hosts[first]))

    def keys(self) -> set[tuple[int, ...]]:
        """The bonds as pairs of atoms and images."""
        columns = np.column_stack([self.first, self.second, self.images])
        # An image of the atom itself and a bond in the other direction are found once only.
        return {min(tuple(row), _reversed(row)) for row in columns.tolist()}


def _reversed(bond: list[int]) -> tuple[int, ...]:
    first, second, *image = bond
    return (second, first, *(-shift for shift in image))


class StabilityTrajectory(NamedTuple):
    """A trajectory and how it ended.

    Attributes:
        trace: one row per sample with the columns ``time_fs``, ``potential_energy_ev``,
            ``temperature_kelvin``, ``largest_stretch`` (of the bonds) and ``smallest_distance``
            (relative to the sum of the covalent radii).
        trouble: what went wrong and when, or empty.
        formed: whether two atoms touched at some time that were not bonded in the start.
    """

    trace: pd.DataFrame
    trouble: str
    formed: bool


def check_stability(
    calculator: BaseCalculator, subject: Subject, config: StabilityConfig, seed: int
) -> CheckResult:
    """Run several trajectories of each structure."""
    runs = {
        name_of(atoms): _run_all(calculator, atoms, config, seed) for atoms in subject.structures
    }
    return CheckResult.of_structures(
        quantities={name: _quantities(found, config) for name, found in runs.items()},
        tables={
            name: pd.concat([run.trace.assign(trajectory=run_name) for run_name, run in r.items()])
            for name, r in runs.items()
        },
        plots=_PLOTS,
        note=" ".join(
            f"{run_name}: {run.trouble}."
            for found in runs.values()
            for run_name, run in found.items()
            if run.trouble
        ),
    )


def _run_all(
    calculator: BaseCalculator, atoms: Atoms, config: StabilityConfig, seed: int
) -> dict[str, StabilityTrajectory]:
    return {
        f"{name_of(atoms)}, {temperature:g} K, {number + 1}": run_stability(
            calculator, atoms, config, temperature, derive_seed(seed, "stability", number)
        )
        for temperature in config.temperatures_kelvin
        for number in range(config.trajectories)
    }


def _quantities(runs: dict[str, StabilityTrajectory], config: StabilityConfig) -> list[Quantity]:
    survived = [not run.trouble for run in runs.values()]
    formed = [run.formed for run in runs.values()]
    stretches = [run.trace["largest_stretch"].max() for run in runs.values()]
    return [
        Quantity.at_least(
            "share of trajectories that survive",
            float(np.mean(survived)),
            config.min_surviving_share,
        ),
        Quantity.shown("trajectories", len(runs)),
        Quantity.shown("trajectories with new bonds", sum(formed)),
        Quantity.shown("largest stretch of a bond", float(np.max(stretches))),
        Quantity.shown("simulated time of each", config.num_steps * config.timestep_fs, "fs"),
    ]


def run_stability(
    calculator: BaseCalculator,
    atoms: Atoms,
    config: StabilityConfig,
    temperature_kelvin: float,
    seed: int,
) -> StabilityTrajectory:
    """Run one trajectory; what ends it early is described at :class:`StabilityConfig`.

    Args:
        calculator: any ASE calculator with energy and forces.
        atoms: the structure, of at least two atoms; it is not changed.
        config: how to run.
        temperature_kelvin: of the thermostat and of the velocities in the start.
        seed: decides velocities and thermostat.

    Raises:
        CalculatorError: if the calculator fails at the structure itself.
    """
    system = bare_copy(atoms)
    system.calc = calculator
    system.get_forces()  # a calculator that fails here fails at the structure, not in dynamics
    draw_velocities(system, temperature_kelvin, derive_seed(seed, "velocities"))
    bonds = Bonds.of(system, config.bond_factor)
    samples: list[_Sample] = []
    trouble, formed = "", False
    for sample in _trajectory(system, bonds, config, temperature_kelvin, seed):
        samples.append(sample)
        trouble = _find_trouble(sample, temperature_kelvin)
        trouble = trouble or _find_broken(system, bonds, sample, config)
        if trouble:
            break
        formed = formed or not Bonds.of(system, _FORMED).keys() <= bonds.keys()
    if not trouble and len(samples) <= config.num_steps // config.sample_interval_steps:
        trouble = f"the calculation failed after {samples[-1].time_fs:g} fs"
    return StabilityTrajectory(pd.DataFrame(samples, columns=_Sample._fields), trouble, formed)


def _trajectory(
    system: Atoms, bonds: Bonds, config: StabilityConfig, temperature_kelvin: float, seed: int
) -> Iterator[_Sample]:
    """Yield the start and what follows, as long as the calculator can do it."""
    dynamics = Langevin(
        system,
        config.timestep_fs * units.fs,
        temperature_K=temperature_kelvin,
        friction=config.friction_per_fs / units.fs,
        fixcm=False,
        rng=np.random.default_rng(derive_seed(seed, "thermostat")),
    )
    with suppress(CalculatorError):
        for step, _ in enumerate(dynamics.irun(steps=config.num_steps)):
            # Neighbours of atoms at places that are no numbers cannot be looked for.
            finite = np.isfinite(system.get_momenta()).all()
            if step % config.sample_interval_steps == 0 or not finite:
                yield _sample(system, bonds, step * config.timestep_fs)


def _sample(system: Atoms, bonds: Bonds, time_fs: float) -> _Sample:
    return _Sample(
        time_fs=time_fs,
        potential_energy_ev=float(system.get_potential_energy()),
        temperature_kelvin=float(system.get_temperature()),
        largest_stretch=float(bonds.stretches(system).max(initial=0.0)),
        smallest_distance=_smallest_distance(system),
    )


def _smallest_distance(system: Atoms) -> float:
    """The smallest distance relative to the sum of the covalent radii; 1 where none is smaller."""
    if not np.isfinite(system.positions).all():
        return float("nan")
    touching = Bonds.of(system, 1.0)
    radii = covalent_radii[system.numbers]
    sums = radii[touching.first] + radii[touching.second]
    return float((touching.lengths / sums).min(initial=1.0))


def _find_trouble(sample: _Sample, temperature_kelvin: float) -> str:
    when = f"after {sample.time_fs:g} fs"
    if not np.isfinite(sample).all():
        return f"energy or positions are not finite {when}"
    if sample.temperature_kelvin > _EXPLOSION_FACTOR * temperature_kelvin:
        return f"the temperature is {sample.temperature_kelvin:.0f} K {when}"
    if sample.smallest_distance < _COLLAPSED:
        return f"two atoms have fallen into each other {when}"
    return ""


def _find_broken(system: Atoms, bonds: Bonds, sample: _Sample, config: StabilityConfig) -> str:
    factor = config.broken_bond_factor
    if factor is None or not bonds.broken(system, factor, config.bond_factor).any():
        return ""
    return f"a bond is broken after {sample.time_fs:g} fs"
