"""``mlip-core md``."""

import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_core.cli.console import print_json
from mlip_core.cli.models import load_force_field
from mlip_core.cli.options import (
    EXIT_NOT_REACHED,
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
)
from mlip_core.cli.structures import naming, read_structure
from mlip_core.cli.trajectory_file import trajectory_writer
from mlip_core.utils.errors import UserError
from mlip_core.utils.progress_bar import progress_bar
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
    inputs = [path for path in (structure, restart) if path is not None]
    check_output(output, XYZ_SUFFIXES, inputs, force)
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
        simulation = _make_engine(engine, atoms, force_field, settings)
    if restart is not None:
        simulation.restore_state(restart)
    first_step = simulation.state.step
    with (
        stop_on_signals() as is_stop_wanted,
        progress_bar("steps", steps) as move_bar,
        trajectory_writer(output, atoms, first_step, interval, timestep) as write_new,
    ):
        simulation.attach_logger(write_new)
        if save_state is not None:
            simulation.attach_logger(lambda _: simulation.save_state(save_state))
        simulation.attach_logger(lambda state: move_bar(completed=state.step))
        is_stopped = _run(simulation, is_stop_wanted)
    summary = _summary(simulation.state, first_step, is_stopped)
    if json:
        print_json(summary)
    else:
        typer.echo(f"{_in_words(summary, steps, timestep)} -> {output}")
    if summary["exploded"]:
        done = summary["steps"]
        sys.stderr.write(f"error: the dynamics exploded before step {done}; see the output\n")
    if is_stopped or summary["exploded"]:
        raise typer.Exit(EXIT_RESUME if is_stopped else EXIT_NOT_REACHED)


def _make_engine(
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


def _run(simulation: "SimulationEngine", is_stop_wanted: Callable[[], bool]) -> bool:
    """Go on to the end, or until somebody wants to stop; whether that was so."""

    def stop_if_wanted(_: "SimulationState") -> None:
        if is_stop_wanted():
            raise StoppedError

    simulation.attach_logger(stop_if_wanted)
    try:
        simulation.run()
    except StoppedError:
        return True
    return False


def _summary(state: "SimulationState", first_step: int, is_stopped: bool) -> dict[str, Any]:
    from mlip_core.simulation.utils import has_simulation_exploded

    temperatures: Any = state.temperature
    energies: Any = state.potential_energy
    seconds = state.compute_time_seconds
    return {
        "steps": state.step,
        "snapshots": len(temperatures),
        "mean_temperature_kelvin": float(temperatures.mean()),
        "last_energy_ev": float(energies[-1]),
        "steps_per_second": (state.step - first_step) / seconds if seconds > 0 else 0.0,
        "stopped": is_stopped,
        "exploded": has_simulation_exploded(temperatures[-1]),
    }


def _in_words(summary: dict[str, Any], steps: int, timestep_fs: float) -> str:
    done, temperature = summary["steps"], summary["mean_temperature_kelvin"]
    return (
        f"{done} of {steps} steps ({done * timestep_fs:g} fs), mean temperature "
        f"{temperature:.1f} K, {summary['steps_per_second']:.0f} steps/s"
    )
