"""Reference data in parts that are made independently and put together in a fixed order.

A part is one trajectory, one file to label, or the free atoms. Each has a seed of its own, so the
result does not depend on which process makes which part, nor on what other parts there are.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, CalculatorError
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin
from ase.optimize import BFGS

from mlip_core.reference.calculators import make_calculator
from mlip_core.reference.config import (
    FreeAtomsPart,
    LabelPart,
    ReferencePart,
    TrajectoryConfig,
    TrajectoryPart,
)
from mlip_core.reference.structures import is_molecule_name, load_structure, read_structures
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_text
from mlip_core.utils.seeds import derive_seed


def generate_part(part: ReferencePart, seed: int) -> list[Atoms]:
    """Make one part of a dataset's reference data.

    The frames' calculators hold energy (eV), forces (eV/Å) and, where the structure is periodic and
    the calculator knows it, stress (eV/Å³); ``info`` says where a frame comes from.

    Args:
        part: one of ``reference_parts(config)``.
        seed: the dataset's seed; the part derives its own.

    Raises:
        UserError: if a calculation fails or the dynamics diverge; it names part and frame.
    """
    calculator = make_calculator(part.calculator, part.arguments)
    if isinstance(part, TrajectoryPart):
        return _run_dynamics(part, calculator, derive_seed(seed, "reference", part.name))
    if isinstance(part, LabelPart):
        structures = _with_type(read_structures(part.file), "label")
        return list(_label(structures, calculator, part.file))
    return list(_label(_free_atoms(part), calculator, part.name))


def join_parts(paths: Sequence[str | Path], target: str | Path) -> None:
    """Put the files of all parts together, in the given order."""
    write_text(target, "".join(Path(path).read_text(encoding="utf-8") for path in paths))


def _free_atoms(part: FreeAtomsPart) -> list[Atoms]:
    structures: list[Atoms] = []
    for name in part.structures:
        structures += [load_structure(name)] if is_molecule_name(name) else read_structures(name)
    numbers = sorted({int(number) for atoms in structures for number in atoms.numbers})
    return _with_type([Atoms(numbers=[number]) for number in numbers], "IsolatedAtom")


def _with_type(structures: list[Atoms], config_type: str) -> list[Atoms]:
    for atoms in structures:
        atoms.info = {"config_type": config_type}
    return structures


def _label(structures: list[Atoms], calculator: BaseCalculator, where: str) -> Iterator[Atoms]:
    for index, atoms in enumerate(structures):
        atoms.calc = calculator
        yield _snapshot(atoms, f"{where}, frame {index}")


def _run_dynamics(part: TrajectoryPart, calculator: BaseCalculator, seed: int) -> list[Atoms]:
    config = part.trajectory
    atoms = load_structure(config.structure)
    atoms.calc = calculator
    _relax(atoms, config, part.name)
    rng = np.random.default_rng(seed)
    _set_velocities(atoms, part.temperature_kelvin, rng)
    dynamics = Langevin(
        atoms,
        config.timestep_fs * units.fs,
        temperature_K=part.temperature_kelvin,
        friction=config.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )
    atoms.info = {
        "config_type": "md",
        "temperature": part.temperature_kelvin,
        "trajectory": part.name,
    }
    _advance(dynamics, config.equilibration_fs, config, part.name)
    frames = []
    for index in range(config.frames_per_trajectory):
        _advance(dynamics, config.spacing_fs, config, part.name)
        frames.append(_snapshot(atoms, f"{part.name}, frame {index}"))
    return frames


def _relax(atoms: Atoms, config: TrajectoryConfig, part: str) -> None:
    if config.relax_steps == 0:
        return
    try:
        with BFGS(atoms, logfile=None) as optimizer:
            optimizer.run(fmax=config.relax_force_ev_per_angstrom, steps=config.relax_steps)
    except (CalculatorError, RuntimeError, ValueError) as error:
        raise _calculation_error(f"{part}, relaxation", error) from error


def _set_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Draw from the Maxwell-Boltzmann distribution; the thermostat moves the centre of mass too."""
    widths = np.sqrt(atoms.get_masses()[:, None] * units.kB * temperature)
    atoms.set_momenta(widths * rng.standard_normal((len(atoms), 3)))


def _advance(dynamics: Langevin, time_fs: float, config: TrajectoryConfig, part: str) -> None:
    try:
        dynamics.run(round(time_fs / config.timestep_fs))
    except (CalculatorError, RuntimeError, ValueError) as error:
        raise _calculation_error(f"{part}, step {dynamics.nsteps}", error) from error


def _snapshot(atoms: Atoms, where: str) -> Atoms:
    """A copy without velocities, wrapping or live calculator: what goes into the file."""
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=atoms.info)
    copy.calc = SinglePointCalculator(copy, **_results(atoms, where))
    return copy


def _results(atoms: Atoms, where: str) -> dict[str, Any]:
    try:
        results: dict[str, Any] = {"energy": float(atoms.get_potential_energy())}
        results["forces"] = atoms.get_forces(apply_constraint=False)
        if atoms.pbc.all() and "stress" in getattr(atoms.calc, "implemented_properties", ()):
            results["stress"] = atoms.get_stress(apply_constraint=False)
    except (CalculatorError, RuntimeError, ValueError) as error:
        raise _calculation_error(where, error) from error
    if not all(np.all(np.isfinite(value)) for value in (atoms.positions, *results.values())):
        raise UserError(f"reference {where}: positions or labels are not finite; {_REMEDY}")
    return results


def _calculation_error(where: str, error: Exception) -> UserError:
    detail = " ".join(str(error).split())
    return UserError(f"reference {where}: the calculation failed ({detail}); {_REMEDY}")


_REMEDY = "check the structure, lower temperature or timestep, or change the calculator's arguments"
