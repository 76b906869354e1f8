"""The file that ``mlip-core md`` writes while a simulation runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_core.utils.files import atomic_path

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_core.simulation.state import SimulationState


@contextmanager
def trajectory_writer(
    path: Path, atoms: "Atoms", first_step: int, interval: int, timestep_fs: float
) -> "Iterator[Callable[[SimulationState], None]]":
    """A function that writes the snapshots that have come since it was called last.

    Args:
        path: of the extended XYZ file; is there only when all is written.
        atoms: the structure that moves.
        first_step: where the simulation (re)starts.
        interval: snapshots are at multiples of it.
        timestep_fs: time step.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    from mlip_core.reference.extxyz import format_frame

    n_written = 0
    n_before = -(-first_step // interval)
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:

        def write_new(state: "SimulationState") -> None:
            nonlocal n_written
            snapshots: Any = state  # the arrays of one structure, there when loggers are called
            for index in range(n_written, len(snapshots.positions)):
                frame = atoms.copy()
                frame.positions = snapshots.positions[index]
                step = (n_before + index) * interval
                frame.info = {
                    "step": step,
                    "time_fs": step * timestep_fs,
                    "temperature_kelvin": float(snapshots.temperature[index]),
                }
                frame.calc = SinglePointCalculator(
                    frame,
                    energy=float(snapshots.potential_energy[index]),
                    forces=snapshots.forces[index],
                )
                file.write(format_frame(frame))
            n_written = len(snapshots.positions)

        yield write_new
