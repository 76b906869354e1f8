"""Simulations at constant energy, and of a crystal that melts, by both engines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.monitoring
import numpy as np
from ase import Atoms, units

from benchmarks.inference.cases import SYSTEMS, System
from mlip_core.models.force_field import ForceField
from mlip_core.models.model_io import load_model
from mlip_core.simulation.ase import ASESimulationEngine
from mlip_core.simulation.enums import MDIntegrator
from mlip_core.simulation.jax_md import JaxMDSimulationEngine
from mlip_core.simulation.state import SimulationState

WARM_KELVIN, WARM_PS, EQUILIBRATION_PS = 300.0, 10.0, 10.0
HOT_KELVIN, HOT_PS = 3000.0, 6.0
FRICTION = 0.05
# All has to be compiled after so many steps.
STEPS_TO_START = 20
MOST_DRIFT_MEV_PER_ATOM_PS = 0.1
# No crystal whose atoms are, in the root mean square, so far from their places, in distances of
# nearest neighbours: Lindemann's criterion is 0.1.
LEAST_MOLTEN_DISPLACEMENT = 0.5

_COMPILATION = "/jax/core/compile/backend_compile_duration"


@dataclass(frozen=True)
class Subject:
    """What is simulated.

    Attributes:
        system: the structure.
        run: of the study, whose model is used.
        timestep_fs: of its dynamics.
        melts: whether it is molten, too.
    """

    system: System
    run: str
    timestep_fs: float
    melts: bool = False


SUBJECTS = (
    Subject(SYSTEMS[0], "acac", timestep_fs=0.5),
    Subject(SYSTEMS[1], "silicon", timestep_fs=2.0, melts=True),
)


@dataclass(frozen=True)
class Found:
    """What a simulation came to.

    Attributes:
        system: the structure.
        engine: that simulated it.
        what: was simulated.
        kelvin: mean temperature of all 3 n degrees of freedom.
        result: of what there is a bound for, with its unit.
        is_good: whether that is within its bound and nothing was compiled late.
        late_compilations: programs compiled after the first steps.
    """

    system: str
    engine: str
    what: str
    kelvin: float
    result: str
    is_good: bool
    late_compilations: int


class Compilations:
    """Counts programs that XLA compiles or fetches from its cache."""

    def __init__(self) -> None:
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration: float, **_: object) -> None:
        del duration
        self.count += event == _COMPILATION


COMPILATIONS = Compilations()


@dataclass(frozen=True)
class Simulated:
    """A finished simulation.

    Attributes:
        state: with a snapshot every ``STEPS_TO_START`` steps.
        late_compilations: programs compiled after as many steps.
    """

    state: SimulationState
    late_compilations: int


def simulations(subject: Subject, data: Path, model: Path) -> Iterator[Found]:
    """All simulations of a subject, by each engine.

    Args:
        subject: what is simulated.
        data: directory of the benchmarks' data.
        model: path of the zip.
    """
    force_field = load_model(model)
    start = subject.system.atoms(data)
    warm = equilibrated(start, force_field, subject.timestep_fs)
    for engine in (ASESimulationEngine, JaxMDSimulationEngine):
        yield at_constant_energy(engine, subject, warm, force_field)
        if subject.melts:
            yield molten(engine, subject, start, force_field)


def equilibrated(atoms: Atoms, force_field: ForceField, timestep_fs: float) -> Atoms:
    """The state of the canonical ensemble whose energy is nearest to the mean, with velocities.

    At constant energy the mean temperature is then that of the ensemble. With the energy of any
    state it would be another one: for 15 atoms by some 15 %.
    """
    state = simulate(
        JaxMDSimulationEngine,
        atoms,
        force_field,
        time_ps=EQUILIBRATION_PS,
        timestep_fs=timestep_fs,
        temperature_kelvin=WARM_KELVIN,
        friction=FRICTION,
    ).state
    half = len(state.temperature) // 2
    mean = state.potential_energy[half:].mean() + 1.5 * len(atoms) * units.kB * WARM_KELVIN
    energies = state.potential_energy + state.kinetic_energy
    usual = half + int(np.abs(energies[half:] - mean).argmin())
    chosen = atoms.copy()
    chosen.positions = state.positions[usual]
    chosen.set_velocities(state.velocities[usual])
    return chosen


def _found(
    engine: Any, subject: Subject, run: Simulated, what: str, result: str, is_within_bound: bool
) -> Found:
    return Found(
        system=subject.system.name,
        engine=engine.__name__,
        what=what,
        kelvin=float(run.state.temperature.mean()),
        result=result,
        is_good=is_within_bound and run.late_compilations == 0,
        late_compilations=run.late_compilations,
    )


def at_constant_energy(
    engine: Any, subject: Subject, warm: Atoms, force_field: ForceField
) -> Found:
    """The drift of the energy: the slope of a straight line through it."""
    run = simulate(
        engine,
        warm,
        force_field,
        time_ps=WARM_PS,
        timestep_fs=subject.timestep_fs,
        md_integrator=MDIntegrator.NVE,
    )
    energies = (run.state.potential_energy + run.state.kinetic_energy) * 1000 / len(warm)
    times = STEPS_TO_START * subject.timestep_fs / 1000 * np.arange(len(energies))
    drift = abs(float(np.polyfit(times, energies, 1)[0]))
    what, result = f"{WARM_PS:g} ps at constant energy", f"energy drifts by {drift:.2g} meV/atom/ps"
    return _found(engine, subject, run, what, result, drift < MOST_DRIFT_MEV_PER_ATOM_PS)


def molten(engine: Any, subject: Subject, crystal: Atoms, force_field: ForceField) -> Found:
    """How far atoms have gone, in distances of nearest neighbours."""
    run = simulate(
        engine,
        crystal,
        force_field,
        time_ps=HOT_PS,
        timestep_fs=subject.timestep_fs,
        temperature_kelvin=HOT_KELVIN,
        friction=FRICTION,
    )
    moves = run.state.positions[-1] - run.state.positions[0]
    moves -= moves.mean(axis=0)
    distances = crystal.get_all_distances(mic=True)
    nearest = distances[distances > 0].min()
    displacement = float(np.sqrt((moves**2).sum(axis=1).mean())) / nearest
    what, result = (
        f"{HOT_PS:g} ps at {HOT_KELVIN:g} K",
        f"atoms move by {displacement:.2f} distances of neighbours",
    )
    return _found(engine, subject, run, what, result, displacement > LEAST_MOLTEN_DISPLACEMENT)


def simulate(
    engine_class: Any,
    atoms: Atoms,
    force_field: ForceField,
    time_ps: float,
    timestep_fs: float,
    **settings: Any,
) -> Simulated:
    """Run to the end, and count what is compiled after the first steps.

    Raises:
        RuntimeError: if the simulation explodes.
    """
    n_steps = round(1000 * time_ps / timestep_fs)
    interval = (
        {"log_interval": STEPS_TO_START}
        if engine_class is ASESimulationEngine
        else {"num_episodes": n_steps // STEPS_TO_START}
    )
    config = engine_class.Config(
        num_steps=n_steps,
        snapshot_interval=STEPS_TO_START,
        timestep_fs=timestep_fs,
        **interval,
        **settings,
    )
    engine = engine_class(atoms, force_field, config)
    counts: list[int] = []

    def note(state: SimulationState) -> None:
        if state.step >= STEPS_TO_START:
            counts.append(COMPILATIONS.count)

    engine.attach_logger(note)
    engine.run()
    if engine.state.step < n_steps:
        raise RuntimeError(f"the model is no good: exploded after step {engine.state.step}")
    return Simulated(engine.state, counts[-1] - counts[0])
