"""Test structures with the predictions of what is evaluated: a model, or any calculator."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.calculators.calculator import BaseCalculator, CalculatorError
from ase.stress import voigt_6_to_full_3x3_stress

from mlip_core.committee import iterate_committee
from mlip_core.data.frames import Frame
from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.inference import iterate_predictions
from mlip_core.models.force_field import ForceField
from mlip_core.utils.errors import UserError

Entry = ForceField | BaseCalculator | Sequence[ForceField]
"""A model, a calculator, or the members of a committee, whose mean is taken."""


def predict_structures(
    entry: Entry,
    frames: Iterable[Frame],
    batch_size: int = 32,
    atomic_energies: Mapping[int, float] | None = None,
    energy_shift: Mapping[int, float] | None = None,
) -> Iterator[EvaluatedStructure]:
    """Labelled structures with the predictions of a model or an ASE calculator, in order.

    Both are streamed; a model predicts batches, a calculator one structure after the other. It is
    asked for energy, forces and, where a structure is periodic in all directions and the calculator
    knows it, stress. Of a committee it is the mean of energy and forces, and all structures are
    kept in memory.

    Args:
        entry: what is evaluated.
        frames: the structures; a label that one lacks is left out of the errors.
        batch_size: structures of average size that a model predicts at once.
        atomic_energies: what interaction energies leave out if ``entry`` is a calculator, eV by
            atomic number. A model leaves out those of the dataset that it was trained on.
        energy_shift: what is added to predicted energies for each atom, eV by atomic number; see
            :func:`~mlip_core.evaluation.fit_energy_shift`.

    Raises:
        UserError: if a frame has an element that the model does not know, a calculation fails, or
            what is predicted is not finite; it names the frame.
    """
    if isinstance(entry, ForceField):
        by_number = _by_number(entry.dataset_info.atomic_energies_map)
        predictions = iterate_predictions(entry, frames, batch_size)
    elif isinstance(entry, BaseCalculator):
        by_number = _by_number(atomic_energies or {})
        predictions = ((frame, _calculate(entry, frame, by_number)) for frame in frames)
    else:
        by_number = _by_number(entry[0].dataset_info.atomic_energies_map)
        predictions = _means(entry, list(frames), by_number, batch_size)
    shift = _by_number(energy_shift or {})
    for frame, values in predictions:
        _require_finite(frame, values)
        shifted = _shifted(values, float(shift[frame.numbers].sum())) if energy_shift else values
        yield _evaluated(frame, shifted, by_number)


def _require_finite(frame: Frame, values: Values) -> None:
    for name, value in vars(values).items():
        if value is not None and not np.isfinite(value).all():
            raise UserError(
                f"{frame.place}: the predicted {name.replace('_', ' ')} is not finite; leave the"
                " frame out of the test set, or change the model or the calculator's arguments"
            )


def _shifted(values: Values, shift: float) -> Values:
    assert values.energy is not None
    assert values.interaction_energy is not None
    return replace(
        values, energy=values.energy + shift, interaction_energy=values.interaction_energy + shift
    )


def _means(
    members: Sequence[ForceField], frames: Sequence[Frame], by_number: np.ndarray, batch_size: int
) -> Iterator[tuple[Frame, Values]]:
    for frame, values in iterate_committee(members, frames, batch_size):
        free_atoms = float(by_number[frame.numbers].sum())
        yield frame, Values(values.energy, values.energy - free_atoms, values.mean_forces)


def _calculate(calculator: BaseCalculator, frame: Frame, atomic_energies: np.ndarray) -> Values:
    atoms = frame.atoms
    atoms.calc = calculator
    stress = None
    try:
        energy = float(atoms.get_potential_energy())
        forces = np.array(atoms.get_forces(), dtype=np.float64)
        if frame.pbc.all() and "stress" in getattr(calculator, "implemented_properties", ()):
            stress = voigt_6_to_full_3x3_stress(atoms.get_stress())
    except (CalculatorError, RuntimeError, ValueError, LookupError, ArithmeticError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{frame.place}: {type(calculator).__name__} failed ({reason}); leave the frame out of"
            " the test set, or change the calculator's arguments"
        ) from error
    return Values(energy, energy - float(atomic_energies[frame.numbers].sum()), forces, stress)


def _evaluated(frame: Frame, predicted: Values, atomic_energies: np.ndarray) -> EvaluatedStructure:
    energy = frame.energy
    free_atoms = float(atomic_energies[frame.numbers].sum())
    config_type = frame.info.get("config_type")
    return EvaluatedStructure(
        atoms=frame.atoms,
        reference=Values(
            energy=energy,
            interaction_energy=None if energy is None else energy - free_atoms,
            forces=frame.forces,
            stress=frame.stress,
        ),
        predicted=predicted,
        source=f"{Path(frame.file).name}:{frame.index}",
        config_type=None if config_type is None else str(config_type),
    )


def _by_number(atomic_energies: Mapping[int, float]) -> np.ndarray:
    """Zero for elements that have none: a calculator may know more of them than a dataset has."""
    table = np.zeros(256)
    table[list(atomic_energies)] = list(atomic_energies.values())
    return table
