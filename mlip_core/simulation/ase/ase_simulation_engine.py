"""Simulations with the integrators and the minimiser of ASE."""

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from mlip_core.models.force_field import ForceField
from mlip_core.simulation.ase.mlip_ase_calculator import MLIPForceFieldASECalculator
from mlip_core.simulation.configs.ase_config import ASESimulationConfig
from mlip_core.simulation.enums import MDIntegrator, SimulationType
from mlip_core.simulation.restart import (
    generator_array,
    list_arrays,
    read_arrays,
    rebuild_list,
    restored_generator,
    write_arrays,
)
from mlip_core.simulation.simulation_engine import SimulationEngine
from mlip_core.simulation.temperature_scheduling import get_temperature_schedule
from mlip_core.simulation.trajectory import Trajectory, fill, kinetic_energy, temperature
from mlip_core.simulation.utils import draw_velocities, has_simulation_exploded, prepared
from mlip_core.simulation.verlet_list import Geometry
from mlip_core.utils.seeds import derive_seed

_KIND = "ASE"
_DEFAULT_MAX_FORCE = 0.05


class ASESimulationEngine(SimulationEngine):
    """Langevin dynamics, velocity Verlet, or minimisation by BFGS, with ASE.

    The state has the step 0 and each ``snapshot_interval``-th after it; loggers are called at the
    step 0, each ``log_interval`` steps after it, and at the end. A minimisation's last step is
    always kept. Restarts are bit for bit for dynamics; a minimisation goes on from its positions,
    and learns the curvature anew.

    Args:
        atoms: the structure; any cell.
        force_field: the model.
        config: settings.
    """

    Config = ASESimulationConfig

    def _initialize(self, atoms: Atoms, force_field: ForceField, config: Any) -> None:
        self._config: ASESimulationConfig = config
        self._atoms = prepared(atoms, config)
        self._calculator = MLIPForceFieldASECalculator(
            self._atoms, config.edge_capacity_multiplier, force_field
        )
        self._calculator.edges.update([Geometry.of(self._atoms)])
        self._atoms.calc = self._calculator
        self._rng = np.random.default_rng(derive_seed(config.random_seed, "langevin noise"))
        self._masses = self._atoms.get_masses()[:, None]
        self._is_md = config.simulation_type is SimulationType.MD
        if self._is_md:
            assert config.temperature_kelvin is not None
            seed = derive_seed(config.random_seed, "initial velocities", 0)
            draw_velocities(self._atoms, config.temperature_kelvin, seed)
        n_snapshots = config.num_steps // config.snapshot_interval + 2
        self._trajectory = Trajectory(self._atoms, n_snapshots, self._is_md)

    def run(self) -> None:
        """Go on until the last step, convergence or explosion."""
        config, first = self._config, self.state.step
        assert config.log_interval is not None
        started = time.perf_counter()
        is_kept = is_logged = False
        for step in self._steps(first):
            self.state.step = step
            exploded = self._is_md and has_simulation_exploded(self._temperature())
            is_kept = step % config.snapshot_interval == 0 or exploded
            if is_kept:
                self._keep()
            is_logged = step % config.log_interval == 0 or exploded
            if is_logged:
                started = self._report(started)
            if exploded:
                self._warn_of_explosion()
                return
        if not self._is_md and not is_kept:
            self._keep()
            is_logged = False
        if not is_logged:
            self._report(started)

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """See the base class."""
        arrays = {
            "step": np.array(self.state.step),
            "positions": self._atoms.positions,
            "momenta": self._atoms.get_momenta(),
            "generator": generator_array(self._rng),
        }
        write_arrays(path, _KIND, [self._atoms], arrays | list_arrays(self._calculator.edges))

    def restore_state(self, path: str | os.PathLike[str]) -> None:
        """See the base class."""
        arrays = read_arrays(path, _KIND, [self._atoms])
        self.state.step = int(arrays["step"])
        self._atoms.positions = arrays["positions"]
        self._atoms.set_momenta(arrays["momenta"])
        self._rng = restored_generator(arrays["generator"])
        rebuild_list(self._calculator.edges, [self._atoms], arrays)

    def _steps(self, first: int) -> Iterator[int]:
        """Take steps, and say which has been reached, the first one before any is taken."""
        if not self._is_md:
            yield from self._minimise(first)
            return
        config = self._config
        schedule = get_temperature_schedule(config.temperature_schedule_config, config.num_steps)
        dynamics = self._dynamics()
        forces = self._atoms.get_forces()
        yield first
        for step in range(first, config.num_steps):
            if isinstance(dynamics, Langevin):
                dynamics.set_temperature(temperature_K=schedule(step))
            forces = dynamics.step(forces)
            yield step + 1

    def _dynamics(self) -> Langevin | VelocityVerlet:
        config = self._config
        assert config.timestep_fs is not None
        timestep = config.timestep_fs * units.fs
        if config.md_integrator is MDIntegrator.NVE:
            return VelocityVerlet(self._atoms, timestep)
        return Langevin(
            self._atoms,
            timestep,
            temperature_K=config.temperature_kelvin,
            friction=config.friction,
            fixcm=False,
            rng=self._rng,
        )

    def _minimise(self, first: int) -> Iterator[int]:
        fmax = self._config.max_force_convergence_threshold or _DEFAULT_MAX_FORCE
        optimizer = BFGS(self._atoms, logfile=None)
        steps = self._config.num_steps - first
        for step, _ in enumerate(optimizer.irun(fmax=fmax, steps=steps), start=first):
            yield step

    def _temperature(self) -> float:
        velocities = self._atoms.arrays["momenta"] / self._masses
        return float(temperature(kinetic_energy(velocities, self._masses), len(self._atoms)))

    def _keep(self) -> None:
        self._trajectory.append(
            positions=self._atoms.positions[None],
            forces=self._atoms.get_forces()[None],
            velocities=self._atoms.get_velocities()[None],
            energies=np.array([self._atoms.get_potential_energy()]),
        )

    def _report(self, started: float) -> float:
        """Show the state to the loggers; the time from which to count on."""
        fill(self.state, [self._trajectory], as_lists=False)
        self.state.compute_time_seconds += time.perf_counter() - started
        self._call_loggers()
        return time.perf_counter()
