"""Streams of structures, cut into windows that are small enough to be sorted in memory."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.frames import Frame, iterate_frames
from mlip_core.data.helpers.graph_creation import Structure, TooManyImagesError, make_segment
from mlip_core.data.helpers.graph_store import GraphStore, Segment
from mlip_core.data.shards import Shard, read_manifest, read_shard
from mlip_core.utils.errors import UserError

_MANIFEST = "manifest.json"
# A window ends at the first structure with which it has so many atoms.
_MAX_ATOMS = 50_000

Source = Iterable[Frame] | str | os.PathLike[str]


@dataclass(frozen=True)
class Window:
    """Some consecutive structures.

    Attributes:
        frames: the structures.
        store: their graphs, without labels, with atomic numbers as codes.
    """

    frames: Sequence[Frame]
    store: GraphStore


def iterate_windows(source: Source, info: DatasetInfo, n_structures: int) -> Iterator[Window]:
    """Cut a stream into windows of up to ``n_structures`` and make their graphs.

    Args:
        source: frames, a file of structures, or a set of shards: its manifest or the directory
            that has it.
        info: of the model: its elements and its cutoff.
        n_structures: the most structures in a window.

    Raises:
        UserError: if a structure has an element that the model does not know, or a cell so small
            that a neighbour is more than 127 cells away; if a file cannot be read, or shards were
            made with another cutoff.
    """
    if not isinstance(source, str | os.PathLike):
        return _windows_of_frames(source, info, n_structures)
    path = Path(source)
    if path.is_dir() or path.name == _MANIFEST:
        manifest = path / _MANIFEST if path.is_dir() else path
        return _windows_of_shards(manifest, info, n_structures)
    return _windows_of_frames(iterate_frames(path, require=()), info, n_structures)


def count_structures(source: Source) -> int | None:
    """How many structures a source has, if that can be told without reading them."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return len(source)
    return None


def _windows_of_frames(
    frames: Iterable[Frame], info: DatasetInfo, n_structures: int
) -> Iterator[Window]:
    group: list[Frame] = []
    n_atoms = 0
    for frame in frames:
        _require_known_elements(frame, info)
        group.append(frame)
        n_atoms += len(frame)
        if len(group) == n_structures or n_atoms >= _MAX_ATOMS:
            yield _window(group, info)
            group, n_atoms = [], 0
    if group:
        yield _window(group, info)


def _window(frames: Sequence[Frame], info: DatasetInfo) -> Window:
    structures = (
        Structure(f.numbers, f.positions, f.cell, f.pbc.tolist(), 1.0, None, None, None)
        for f in frames
    )
    try:
        segment = make_segment(structures, info.cutoff_distance_angstrom, labels=())
    except TooManyImagesError as error:
        raise UserError(f"{frames[error.index].place}: {error}") from None
    return Window(frames, _store(segment, info))


def _windows_of_shards(manifest: Path, info: DatasetInfo, n_structures: int) -> Iterator[Window]:
    content = read_manifest(manifest)
    if content["cutoff_angstrom"] != info.cutoff_distance_angstrom:
        raise UserError(
            f"{manifest}: graphs with a cutoff of {content['cutoff_angstrom']} Å, but that of the"
            f" model is {info.cutoff_distance_angstrom} Å; give the file of the structures"
        )
    for entry in content["shards"]:
        shard = read_shard(manifest.parent / entry["file"], entry["sha256"])
        if len(shard):
            yield from _windows_of_shard(shard, info, n_structures)
            shard.release()


def _windows_of_shard(shard: Shard, info: DatasetInfo, n_structures: int) -> Iterator[Window]:
    unlabelled = replace(shard.segment, energy=None, forces=None, stress=None, force_squares=None)
    store = _store(unlabelled, info)
    rows_of_shard = np.arange(len(shard))
    is_end = np.diff(rows_of_shard // n_structures) + np.diff(shard.segment.node_ends // _MAX_ATOMS)
    for rows in np.split(rows_of_shard, np.flatnonzero(is_end) + 1):
        frames = [_frame_of_shard(shard, row) for row in rows.tolist()]
        for frame in frames:
            _require_known_elements(frame, info)
        yield Window(frames, store.take(rows))


def _store(segment: Segment, info: DatasetInfo) -> GraphStore:
    return GraphStore.from_segments([segment], info.z_table.z_to_index_map(255, unknown=-1))


def _frame_of_shard(shard: Shard, row: int) -> Frame:
    """A structure and its labels; periodic wherever it has a cell vector."""
    segment = shard.segment
    atoms = slice(int(segment.node_ends[row] - segment.n_node[row]), int(segment.node_ends[row]))
    labels = {
        name: getattr(segment, name)[atoms if name == "forces" else row]
        for name in segment.labels
        if segment.is_labelled(name, row)
    }
    return Frame(
        numbers=segment.codes[atoms].astype(np.int64),
        positions=segment.positions[atoms],
        cell=segment.cell[row],
        pbc=segment.cell[row].any(axis=1),
        energy=labels.get("energy"),
        forces=labels.get("forces"),
        stress=labels.get("stress"),
        info={},
        file=str(shard.path),
        index=row,
    )


def _require_known_elements(frame: Frame, info: DatasetInfo) -> None:
    unknown = set(frame.numbers.tolist()) - info.atomic_energies_map.keys()
    if unknown:
        raise UserError(
            f"{frame.place}: the model does not know {_symbols(unknown)} (it knows"
            f" {_symbols(info.atomic_energies_map)}); leave the frame out or train with such"
            " structures"
        )


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
