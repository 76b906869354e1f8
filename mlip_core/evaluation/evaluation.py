"""A model's predictions and errors on a test set, in memory or on their way into files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from ase.calculators.calculator import BaseCalculator
from ase.data import chemical_symbols

from mlip_core.data.frames import Frame
from mlip_core.evaluation.metrics import compute_metrics
from mlip_core.evaluation.predicting import Entry, predict_structures
from mlip_core.evaluation.predictions_file import predictions_writer
from mlip_core.evaluation.structures import EvaluatedStructure
from mlip_core.evaluation.tables import TableBuilder, Tables, write_tables
from mlip_core.models.force_field import ForceField
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.extxyz"


@dataclass(frozen=True)
class Evaluation:
    """The structures of a test set with reference and predicted values, and the errors over them.

    Attributes:
        structures: in the order of the test set.
        metrics: the errors, see :mod:`mlip_core.evaluation.metrics`.
    """

    structures: Sequence[EvaluatedStructure]
    metrics: dict[str, Any]


def evaluate(
    entry: Entry,
    frames: Iterable[Frame],
    batch_size: int = 32,
    atomic_energies: Mapping[int, float] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Predict all ``frames`` and compute the errors against their labels.

    Args:
        entry: a model, or an ASE calculator.
        frames: the test set; labels that a frame lacks are left out of the errors.
        batch_size: structures of average size that a model predicts at once.
        atomic_energies: what interaction energies leave out if ``entry`` is a calculator, eV by
            atomic number.
        n_resamples: draws of the bootstrap, for confidence intervals; 0 for none.
        seed: of the draws.

    Raises:
        UserError: if there are no frames, one has an element that the model does not know, or a
            calculation fails.
    """
    structures = list(predict_structures(entry, frames, batch_size, atomic_energies))
    if not structures:
        raise _empty()
    metrics = compute_metrics(structures, n_resamples, seed)
    return Evaluation(structures, metrics | {"n_parameters": _count_parameters(entry)})


def evaluate_to_files(
    directory: str | os.PathLike[str],
    entry: Entry,
    frames: Iterable[Frame],
    batch_size: int = 32,
    atomic_energies: Mapping[int, float] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    energy_shift: Mapping[int, float] | None = None,
) -> dict[str, Any]:
    """As :func:`evaluate`, for test sets of any size: structures are written as they come.

    The files are ``predictions.extxyz``, ``structures.parquet``, ``atoms.parquet`` and
    ``metrics.json``; the same values always give the same bytes. Structures are not kept, but some
    60 bytes for each of their atoms. Predicted energies get ``energy_shift`` (eV by atomic number)
    for each atom, if there is one; see :func:`~mlip_core.evaluation.fit_energy_shift`.

    Returns:
        the errors, see :mod:`mlip_core.evaluation.metrics`.
    """
    structures = predict_structures(entry, frames, batch_size, atomic_energies, energy_shift)
    tables = _write_structures(directory, structures)
    metrics = compute_metrics(tables, n_resamples, seed)
    metrics["n_parameters"] = _count_parameters(entry)
    if energy_shift is not None:
        metrics["energy_shift"] = {chemical_symbols[z]: e for z, e in energy_shift.items()}
    write_json(Path(directory) / METRICS_FILE, metrics)
    return metrics


def write_evaluation(directory: str | os.PathLike[str], evaluation: Evaluation) -> None:
    """Write an evaluation that is in memory into the files of :func:`evaluate_to_files`."""
    _write_structures(directory, evaluation.structures)
    write_json(Path(directory) / METRICS_FILE, evaluation.metrics)


def _write_structures(
    directory: str | os.PathLike[str], structures: Iterable[EvaluatedStructure]
) -> Tables:
    builder = TableBuilder()
    with predictions_writer(Path(directory) / PREDICTIONS_FILE) as write:
        for structure in structures:
            write(structure)
            builder.add(structure)
        tables = builder.build()
        if not len(tables):
            raise _empty()
    write_tables(directory, tables)
    return tables


def _count_parameters(entry: Entry) -> int | None:
    """How many numbers a model has learned, or all members; a calculator does not say."""
    if isinstance(entry, BaseCalculator):
        return None
    members = [entry] if isinstance(entry, ForceField) else entry
    return sum(leaf.size for member in members for leaf in jax.tree.leaves(member.params))


def _empty() -> UserError:
    return UserError("the test set is empty: give it at least one frame")
