"""Predictions for a stream of structures.

The stream is cut into windows. The structures of a window are sorted by size and shared out between
batches of a few shapes, of which as little as possible is padding; predictions are put back into
the order of the stream. While the device works on one window, the next one is read, and made into
graphs, and the last one is used by whoever asked for it. Memory does not grow with the stream.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Self

import jax
import numpy as np
from ase import Atoms

from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.helpers.batching import BatchAssembler
from mlip_core.data.helpers.data_prefetching import create_prefetch_iterator
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.inference.buckets import Buckets
from mlip_core.inference.values import Values
from mlip_core.inference.windows import Source, Window, count_structures, iterate_windows
from mlip_core.models.force_field import ForceField
from mlip_core.typing import Prediction
from mlip_core.utils.progress_bar import progress_bar

_BATCHES_PER_WINDOW = 32


def run_batched_inference(
    structures: Sequence[Atoms] | str | os.PathLike[str],
    force_field: ForceField,
    batch_size: int = 16,
    max_n_node: int | None = None,
    max_n_edge: int | None = None,
    *,
    progress: bool = False,
) -> list[Prediction]:
    """Predict energy, forces and, if the force field does so, stress of many structures.

    Args:
        structures: structures, the path of a file of structures, or that of a set of shards.
        force_field: the model.
        batch_size: structures of average size that the compiled model sees at once.
        max_n_node: the most nodes of a batch divided by ``batch_size``; by default as many as the
            structures need.
        max_n_edge: the most edges of a batch divided by twice ``batch_size`` (pairs, not directed
            edges, as everywhere in the 0.1 API).
        progress: whether to show a bar on standard error.

    Returns:
        one prediction for each structure, in their order: ``energy`` and ``interaction_energy`` are
        floats, ``forces`` ``[n_atoms, 3]``, ``stress`` ``[3, 3]`` and ``pressure`` a float, in
        float64. The last two are ``None`` for a structure that is not periodic in all directions.

    Raises:
        UserError: if the model does not know an element, or a structure or file cannot be used.
    """
    source: Source
    if isinstance(structures, str | os.PathLike):
        source = structures
    else:
        source = [_frame(atoms, index) for index, atoms in enumerate(structures)]
    predictions = iterate_predictions(
        force_field,
        source,
        batch_size,
        max_n_node=max_n_node,
        max_n_edge=max_n_edge,
        progress=progress,
    )
    return [_as_prediction(values) for _, values in predictions]


def iterate_predictions(
    force_field: ForceField,
    frames: Source,
    batch_size: int = 32,
    *,
    max_n_node: int | None = None,
    max_n_edge: int | None = None,
    progress: bool = False,
) -> Iterator[tuple[Frame, Values]]:
    """Predict a stream of structures, in constant memory and in the order of the stream.

    Args:
        force_field: the model.
        frames: any iterable of frames, which is read as needed; the path of a file of structures;
            or that of a set of shards (its ``manifest.json`` or directory), whose graphs are used.
        batch_size: structures of average size that the compiled model sees at once. Larger ones
            count for more.
        max_n_node: see :func:`run_batched_inference`.
        max_n_edge: see :func:`run_batched_inference`.
        progress: whether to show a bar on standard error.

    Yields:
        each frame with its energy (the sum of atomic energies added in float64), its interaction
        energy (that energy minus the atomic energies of the model's dataset), forces and, if the
        force field predicts it and the structure is periodic in all directions, stress.

    Raises:
        UserError: if the model does not know an element (the message names file and frame), or a
            structure or file cannot be used.
        ValueError: if ``batch_size`` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    n_structures = _BATCHES_PER_WINDOW * batch_size
    windows = iterate_windows(frames, force_field.dataset_info, n_structures)
    model = _Model.of(force_field, Buckets(batch_size, max_n_node, max_n_edge))
    with progress_bar("structures", count_structures(frames), progress) as move_bar:
        previous: _Pending | None = None
        for window in create_prefetch_iterator(windows, 1):
            pending = model.dispatch(window)
            if previous is not None:
                yield from previous.collect(move_bar)
            previous = pending
        if previous is not None:
            yield from previous.collect(move_bar)


class _FreeAtoms(NamedTuple):
    """Atomic energies by atomic number, eV, float64: what interaction energies leave out."""

    of_dataset: np.ndarray
    of_model: np.ndarray

    @classmethod
    def of(cls, force_field: ForceField) -> Self:
        info = force_field.dataset_info
        numbers = list(info.atomic_energies_map)
        # A model may have been told other atomic energies than those of its dataset.
        tables = info.atomic_energies, force_field.predictor.mlip_network.atomic_energies()
        by_number = np.zeros((2, 256))
        by_number[:, numbers] = np.array([np.asarray(table) for table in tables])
        return cls(*by_number)


class _Pending(NamedTuple):
    """A window whose batches are on their way through the device.

    Attributes:
        frames: of the window.
        batches: for each batch the places of its structures in the window, their numbers of
            atoms, and the prediction.
        of_dataset: ``[n_structures]``, sums of the dataset's atomic energies, eV.
        of_model: ``[n_structures]``, sums of the model's own, eV.
    """

    frames: Sequence[Frame]
    batches: Sequence[tuple[np.ndarray, np.ndarray, Prediction]]
    of_dataset: np.ndarray
    of_model: np.ndarray

    def collect(self, move_bar: Callable[..., None]) -> Iterator[tuple[Frame, Values]]:
        """Wait for the predictions and give them in the order of the window."""
        values: list[Values] = [Values()] * len(self.frames)
        for rows, n_node, prediction in self.batches:
            for row, found in zip(
                rows.tolist(), self._values(rows, n_node, prediction), strict=True
            ):
                values[row] = found
            move_bar(advance=len(rows))
        yield from zip(self.frames, values, strict=True)

    def _values(
        self, rows: np.ndarray, n_node: np.ndarray, prediction: Prediction
    ) -> Iterator[Values]:
        energies = np.asarray(prediction.interaction_energy, np.float64)[: len(rows)]
        of_dataset, of_model = self.of_dataset[rows], self.of_model[rows]
        # The sums first: they are large, and equal in most models.
        interaction_energies = (energies + (of_model - of_dataset)).tolist()
        total_energies = (energies + of_model).tolist()
        n_atoms = int(n_node.sum())
        forces = np.asarray(prediction.forces, np.float64)[:n_atoms]
        pieces = np.split(forces, np.cumsum(n_node)[:-1])
        stress = self._stress(rows, prediction)
        return map(Values, total_energies, interaction_energies, pieces, stress)

    def _stress(self, rows: np.ndarray, prediction: Prediction) -> list[np.ndarray | None]:
        if prediction.stress is None:
            return [None] * len(rows)
        stress = np.asarray(prediction.stress, np.float64)
        is_periodic = (bool(self.frames[row].pbc.all()) for row in rows.tolist())
        return [stress[i] if known else None for i, known in enumerate(is_periodic)]


class _Model(NamedTuple):
    """A force field with all that batches for it need."""

    force_field: ForceField
    buckets: Buckets
    free_atoms: _FreeAtoms
    dtype: np.dtype

    @classmethod
    def of(cls, force_field: ForceField, buckets: Buckets) -> Self:
        dtype = np.result_type(*(leaf.dtype for leaf in jax.tree.leaves(force_field.params)))
        return cls(force_field, buckets, _FreeAtoms.of(force_field), dtype)

    def dispatch(self, window: Window) -> _Pending:
        """Send the batches of a window to the device, without waiting for it."""
        store = window.store
        bucket, rows_of_batches = self.buckets.pack(store)
        assemble = BatchAssembler(
            store, bucket.shape, bucket.block_size, bucket.max_runs, None, self.dtype
        )
        return _Pending(
            frames=window.frames,
            batches=[
                (rows, store.n_node[rows], self.force_field(assemble(rows)))
                for rows in rows_of_batches
            ],
            of_dataset=_sums(store, self.free_atoms.of_dataset),
            of_model=_sums(store, self.free_atoms.of_model),
        )


def _sums(store: GraphStore, by_number: np.ndarray) -> np.ndarray:
    return store.sum_over_atoms("codes", lambda codes: by_number[codes])


def _frame(atoms: Atoms, index: int) -> Frame:
    """A structure without whatever labels it has, which do not matter."""
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return frame_from_atoms(bare, require=(), file="structures", index=index)


def _as_prediction(values: Values) -> Prediction:
    stress = values.stress
    return Prediction(
        energy=values.energy,
        forces=values.forces,
        stress=stress,
        pressure=None if stress is None else -float(np.trace(stress)) / 3,
        interaction_energy=values.interaction_energy,
    )
