"""A model's predictions and errors on a test set."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import jraph
import numpy as np
from ase.data import chemical_symbols

from mlip_core.data import ChemicalSystem
from mlip_core.data.frames import Frame
from mlip_core.data.helpers import GraphDataset, create_graph_from_chemical_system
from mlip_core.evaluation.metrics import compute_metrics
from mlip_core.evaluation.predictions_file import read_predictions, write_predictions
from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.models.force_field import ForceField
from mlip_core.typing import Prediction
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.extxyz"


@dataclass(frozen=True)
class Evaluation:
    """The structures of a test set with reference and predicted values, and the errors over them.

    Attributes:
        structures: in the order of the test set.
        metrics: the errors, see :mod:`mlip_core.evaluation.metrics`, and ``n_parameters`` of the
            model.
    """

    structures: Sequence[EvaluatedStructure]
    metrics: dict[str, Any]


def evaluate(force_field: ForceField, frames: Sequence[Frame], batch_size: int = 16) -> Evaluation:
    """Predict all ``frames`` in batches and compute the errors against their labels.

    Args:
        force_field: the model.
        frames: the test set; labels that a frame lacks are left out of the errors.
        batch_size: number of structures the compiled model sees at once.

    Raises:
        UserError: if there are no frames, or one has an element the model does not know.
    """
    structures = predict_frames(force_field, frames, batch_size)
    n_parameters = sum(leaf.size for leaf in jax.tree.leaves(force_field.params))
    return Evaluation(structures, {**compute_metrics(structures), "n_parameters": n_parameters})


def predict_frames(
    force_field: ForceField, frames: Sequence[Frame], batch_size: int = 16
) -> list[EvaluatedStructure]:
    """As :func:`evaluate`, without the errors."""
    if not frames:
        raise UserError("the test set is empty: give it at least one frame in the split")
    graphs = [_graph(frame, force_field) for frame in frames]
    outputs = _predict(force_field, graphs, batch_size)
    free_atoms = _FreeAtoms.of(force_field)
    return [
        _evaluated(frame, output, free_atoms) for frame, output in zip(frames, outputs, strict=True)
    ]


def write_evaluation(directory: str | os.PathLike[str], evaluation: Evaluation) -> None:
    """Write ``metrics.json`` and ``predictions.extxyz``, always in the same bytes."""
    write_predictions(Path(directory) / PREDICTIONS_FILE, evaluation.structures)
    write_json(Path(directory) / METRICS_FILE, evaluation.metrics)


def read_evaluation(directory: str | os.PathLike[str]) -> Evaluation:
    """Read what :func:`write_evaluation` wrote."""
    metrics = json.loads((Path(directory) / METRICS_FILE).read_text(encoding="utf-8"))
    return Evaluation(read_predictions(Path(directory) / PREDICTIONS_FILE), metrics)


def _graph(frame: Frame, force_field: ForceField) -> jraph.GraphsTuple:
    known = sorted(force_field.dataset_info.atomic_energies_map)
    unknown = sorted(set(frame.numbers.tolist()) - set(known))
    if unknown:
        raise UserError(
            f"{frame.place}: the model does not know {_symbols(unknown)} "
            f"(it knows {_symbols(known)}); leave the frame out or train with such structures"
        )
    system = ChemicalSystem(
        atomic_numbers=frame.numbers,
        atomic_species=np.searchsorted(known, frame.numbers),
        positions=frame.positions,
        cell=frame.cell if frame.pbc.any() else None,
        pbc=tuple(frame.pbc.tolist()),
    )
    return create_graph_from_chemical_system(system, force_field.cutoff_distance)


def _predict(
    force_field: ForceField, graphs: list[jraph.GraphsTuple], batch_size: int
) -> Iterator[Values]:
    """The model's own outputs for each graph, in order."""
    batches = GraphDataset(
        graphs,
        batch_size=min(batch_size, len(graphs)),
        should_shuffle=False,
        raise_exc_if_graphs_discarded=True,
    )
    for batch in batches:
        yield from _unbatch(jax.device_get(force_field(batch)), batch)


def _unbatch(prediction: Prediction, batch: jraph.GraphsTuple) -> Iterator[Values]:
    n_graphs = int(np.sum(jraph.get_graph_padding_mask(batch)))
    ends = np.cumsum(batch.n_node)
    for i in range(n_graphs):
        atoms = slice(ends[i] - batch.n_node[i], ends[i])
        yield Values(
            energy=_item(prediction.energy, i),
            interaction_energy=_item(prediction.interaction_energy, i),
            forces=_double(prediction.forces, atoms),
            stress=_double(prediction.stress, i),
        )


class _FreeAtoms(NamedTuple):
    """Atomic energies by species, eV, float64: what interaction energies leave out."""

    atomic_numbers: np.ndarray
    of_dataset: np.ndarray
    of_model: np.ndarray

    @classmethod
    def of(cls, force_field: ForceField) -> Self:
        info = force_field.dataset_info
        # A model may have been told other atomic energies than those of its dataset.
        of_model = np.array(force_field.predictor.mlip_network.atomic_energies())
        return cls(np.array(sorted(info.atomic_energies_map)), info.atomic_energies, of_model)

    def sums(self, numbers: np.ndarray) -> tuple[float, float]:
        """The sums over a structure's atoms by the dataset and by the model."""
        species = np.searchsorted(self.atomic_numbers, numbers)
        return float(self.of_dataset[species].sum()), float(self.of_model[species].sum())


def _evaluated(frame: Frame, output: Values, free_atoms: _FreeAtoms) -> EvaluatedStructure:
    of_dataset, of_model = free_atoms.sums(frame.numbers)
    config_type = frame.info.get("config_type")
    return EvaluatedStructure(
        atoms=frame.atoms,
        reference=Values(
            energy=frame.energy,
            interaction_energy=None if frame.energy is None else frame.energy - of_dataset,
            forces=frame.forces,
            stress=frame.stress,
        ),
        predicted=_with_both_energies(output, of_dataset, of_model),
        source=f"{Path(frame.file).name}:{frame.index}",
        config_type=None if config_type is None else str(config_type),
    )


def _with_both_energies(output: Values, of_dataset: float, of_model: float) -> Values:
    if output.interaction_energy is not None:
        # The sums first: they are large, and equal in most models.
        interaction = output.interaction_energy + (of_model - of_dataset)
        energy = output.interaction_energy + of_model
        return replace(output, energy=energy, interaction_energy=interaction)
    if output.energy is not None:
        return replace(output, interaction_energy=output.energy - of_dataset)
    return output


def _item(values: np.ndarray | None, index: int) -> float | None:
    return None if values is None else float(values[index])


def _double(values: np.ndarray | None, index: slice | int) -> np.ndarray | None:
    return None if values is None else np.asarray(values[index], dtype=np.float64)


def _symbols(numbers: Sequence[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in numbers)
