"""``mlip-core md``."""

import sys
from collections.abc import Iterator
from enum import Enum
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from mlip_core.cli.console import print_json, progress_bar
from mlip_core.cli.models import load_force_field, naming, read_structure
from mlip_core.cli.options import (
    XYZ_SUFFIXES,
    Force,
    Frame,
    Json,
    Model,
    Output,
    Seed,
    Structure,
    Threads,
    check_output,
    check_suffix,
    is_terminal,
)
from mlip_core.cli.relax import EXIT_NOT_REACHED
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path
from mlip_core.utils.stopping import EXIT_RESUME, StoppedError, stop_on_signals

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_core.simulation.simulation_engine import SimulationEngine
    from mlip_core.simulation.state import SimulationState

_STEPS_BETWEEN_REPORTS = 1000


class Ensemble(Enum):
    """What is constant."""

    NVT = "nvt"
    NVE = "nve"


class Engine(Enum):
    """What moves the atoms."""

    JAX_MD = "jax-md"
    ASE = "ase"


def md(
    model: Model,
    structure: Structure,
    output: Output,
    steps: Annotated[int, typer.Option(help="Number of time steps.", min=1)] = 1000,
    ensemble: Annotated[
        Ensemble, typer.Option(help="Langevin dynamics, or constant energy.")
    ] = Ensemble.NVT,
    temperature: Annotated[
        float, typer.Option(help="K, of the thermostat and of the first velocities.", min=1e-3)
    ] = 300.0,
    timestep: Annotated[float, typer.Option(help="Time step, fs.", min=1e-6)] = 1.0,
    friction: Annotated[float, typer.Option(help="Of the thermostat, 1/fs.", min=1e-9)] = 0.01,
    interval: Annotated[
        int, typer.Option(help="Keep each so-many-th step; divides the steps.", min=1)
    ] = 10,
    seed: Seed = 42,
    frame: Frame = 0,
    engine: Annotated[
        Engine, typer.Option(help="On the device as a whole, or step by step with ASE.")
    ] = Engine.JAX_MD,
    save_state: Annotated[
        Path | None,
        typer.Option(help="Keep in this file what a restart needs (.npz).", show_default=False),
    ] = None,
    restart: Annotated[
        Path | None,
        typer.Option(help="Go on from a file of --save-state.", exists=False, show_default=False),
    ] = None,
    threads: Threads = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Run molecular dynamics.

    At constant temperature (Langevin) or constant energy. Writes the trajectory as extended XYZ:
    energy (eV), forces (eV/Å), step, time_fs and temperature_kelvin of each kept step. Stopped by
    Ctrl-C or SIGTERM it keeps what it has and ends with status 75; --save-state and --restart go
    on. Ends with status 3 if the dynamics explode.

    Examples:
      mlip-core md model.zip ethanol.xyz -o md.xyz --steps 10000 --temperature 300
      mlip-core md model.zip silicon.cif -o nve.xyz --ensemble nve --timestep 2 --interval 100
      mlip-core md model.zip a.xyz -o first.xyz --steps 5000 --save-state md.npz
      mlip-core md model.zip a.xyz -o second.xyz --steps 10000 --restart md.npz
    """
    check_suffix(output, XYZ_SUFFIXES)
    inputs = [path for path in (structure, restart) if path is not None]
    check_output(output, inputs, force)
    if steps % interval:
        raise UserError(f"--steps {steps}: must be a multiple of --interval {interval}")
    atoms = read_structure(structure, frame)
    force_field = load_force_field(model, threads)
    from ase import units

    settings = {
        "num_steps": steps,
        "snapshot_interval": interval,
        "timestep_fs": timestep,
        "temperature_kelvin": temperature,
        "friction": friction / units.fs,
        "md_integrator": "nve" if ensemble is Ensemble.NVE else "nvt_langevin",
        "random_seed": seed,
    }
    with naming(structure):
        simulation = _engine(engine, atoms, force_field, settings)
    if restart is not None:
        simulation.restore_state(restart)
    first = simulation.state.step
    with (
        stop_on_signals() as is_stopped,
        progress_bar("steps", steps, is_terminal()) as advance,
        atomic_path(output) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        writer = _Writer(file, atoms, first, interval, timestep)

        def log(state: "SimulationState") -> None:
            writer.write_new(state)
            if save_state is not None:
                simulation.save_state(save_state)
            advance(state.step)
            if is_stopped():
                raise StoppedError

        simulation.attach_logger(log)
        stopped = _ran_until_stopped(simulation)
    exploded = _report(simulation.state, first, steps, timestep, output, json, stopped)
    if stopped or exploded:
        raise typer.Exit(EXIT_RESUME if stopped else EXIT_NOT_REACHED)


def _ran_until_stopped(simulation: "SimulationEngine") -> bool:
    try:
        simulation.run()
    except StoppedError:
        return True
    return False


def _engine(
    engine: Engine, atoms: "Atoms", force_field: Any, settings: dict[str, Any]
) -> "SimulationEngine":
    """The engine, whose state is reported often enough for progress and few enough for speed."""
    steps, interval = settings["num_steps"], settings["snapshot_interval"]
    per_report = interval * _largest_divisor(steps // interval, _STEPS_BETWEEN_REPORTS // interval)
    try:
        if engine is Engine.ASE:
            from mlip_core.simulation.ase import ASESimulationEngine
            from mlip_core.simulation.configs import ASESimulationConfig

            config = ASESimulationConfig(**settings, log_interval=per_report)
            return ASESimulationEngine(atoms, force_field, config)
        from mlip_core.simulation.configs import JaxMDSimulationConfig
        from mlip_core.simulation.jax_md import JaxMDSimulationEngine

        device_config = JaxMDSimulationConfig(**settings, num_episodes=steps // per_report)
        return JaxMDSimulationEngine(atoms, force_field, device_config)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from None


def _largest_divisor(number: int, limit: int) -> int:
    """The largest divisor that is not above a limit, at least 1."""
    return next((d for d in range(min(number, limit), 1, -1) if number % d == 0), 1)


class _Writer:
    """Writes snapshots of a simulation as they appear."""

    def __init__(
        self, file: TextIO, atoms: "Atoms", first_step: int, interval: int, timestep_fs: float
    ) -> None:
        self._file = file
        self._atoms = atoms
        # Snapshots are at multiples of the interval, from where the simulation (re)starts.
        self._steps = count(-(-first_step // interval) * interval, interval)
        self._timestep_fs = timestep_fs
        self._written = 0

    def write_new(self, state: "SimulationState") -> None:
        """Write what has not been written."""
        from mlip_core.reference.extxyz import format_frame

        for atoms in self._new(state):
            self._file.write(format_frame(atoms))

    def _new(self, state: "SimulationState") -> "Iterator[Atoms]":
        from ase.calculators.singlepoint import SinglePointCalculator

        snapshots: Any = state  # the arrays of one structure, there when loggers are called
        n_snapshots = len(snapshots.positions)
        for index in range(self._written, n_snapshots):
            atoms = self._atoms.copy()
            atoms.positions = snapshots.positions[index]
            step = next(self._steps)
            atoms.info = {
                "step": step,
                "time_fs": step * self._timestep_fs,
                "temperature_kelvin": float(snapshots.temperature[index]),
            }
            atoms.calc = SinglePointCalculator(
                atoms,
                energy=float(snapshots.potential_energy[index]),
                forces=snapshots.forces[index],
            )
            yield atoms
        self._written = n_snapshots


def _report(
    state: "SimulationState",
    first: int,
    steps: int,
    timestep_fs: float,
    output: Path,
    as_json: bool,
    stopped: bool,
) -> bool:
    """Print what happened; whether the dynamics exploded."""
    from mlip_core.simulation.utils import has_simulation_exploded

    temperatures: Any = state.temperature
    energies: Any = state.potential_energy
    exploded = has_simulation_exploded(temperatures[-1])
    seconds = state.compute_time_seconds
    rate = (state.step - first) / seconds if seconds > 0 else 0.0
    if as_json:
        print_json(
            {
                "steps": state.step,
                "snapshots": len(temperatures),
                "mean_temperature_kelvin": float(temperatures.mean()),
                "last_energy_ev": float(energies[-1]),
                "steps_per_second": rate,
                "stopped": stopped,
                "exploded": exploded,
            }
        )
    else:
        typer.echo(
            f"{state.step} of {steps} steps ({state.step * timestep_fs:g} fs), mean temperature "
            f"{temperatures.mean():.1f} K, {rate:.0f} steps/s -> {output}"
        )
    if exploded:
        sys.stderr.write(f"error: the dynamics exploded before step {state.step}; see the output\n")
    return exploded
