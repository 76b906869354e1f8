"""Graphs on disk: fixed-shape, memory-mapped, checksummed, and statistics gathered from them.

A shard is one safetensors file with a row per structure, padded to the shard's largest structure. A
manifest lists the shards of a split with their checksums. Statistics are computed from values per
structure with exact sums, so the number of shards does not change a digit.
"""

import json
import math
import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase.data import chemical_symbols
from safetensors.numpy import save_file

from mlip_core.data.dataset_info import DatasetInfo, write_dataset_info
from mlip_core.data.frames import QUANTITIES, Frame
from mlip_core.data.helpers.atomic_energies import (
    fit_atomic_energies,
    parse_atomic_energies,
    require_elements,
)
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.graph_dataset import GraphDataset
from mlip_core.data.helpers.graph_store import GraphStore, Segment
from mlip_core.data.helpers.neighborhood import get_neighborhood
from mlip_core.data.versioned_json import JsonFormat
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, file_digest, json_digest, write_json

AtomicEnergies = Literal["least_squares", "isolated_atoms"] | Mapping[str | int, float]

_VERSION = 1
_SHARD_FORMAT = "mlip_core shard"
_MANIFEST = JsonFormat(
    "mlip_core shards", _VERSION, "manifest of shards", "prepare the dataset again"
)
_METADATA_KEY = "mlip_core"  # the only one: safetensors writes several in random order
_DTYPES = {"F64": np.float64, "I32": np.int32, "I16": np.int16, "U8": np.uint8}


@dataclass(frozen=True)
class Shard:
    """An open shard.

    Attributes:
        path: the file.
        metadata: format, version, cutoff, labels and number of structures.
        arrays: read-only views of the file, a row per structure: ``positions [n, max_nodes, 3]``,
            ``atomic_numbers [n, max_nodes]`` (0 is padding), ``neighbor_counts [n, max_nodes]``,
            ``senders`` and ``receivers [n, max_edges]`` (ascending receivers),
            ``shifts [n, max_edges, 3]``, ``n_node``, ``n_edge``, ``weight``, ``min_distance [n]``,
            ``cell [n, 3, 3]``, ``digest [n, 32]``, and the labels ``energy [n]``,
            ``forces [n, max_nodes, 3]``, ``stress [n, 3, 3]`` that it was made with.
    """

    path: Path
    metadata: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.arrays["n_node"])


def shard_slice(n_frames: int, index: int, n_shards: int) -> slice:
    """Which of a split's frames go into shard ``index`` of ``n_shards``: consecutive, evenly."""
    return slice(n_frames * index // n_shards, n_frames * (index + 1) // n_shards)


def shard_name(index: int, n_shards: int) -> str:
    """File name of a shard."""
    return f"shard-{index:05d}-of-{n_shards:05d}.safetensors"


def write_shard(
    path: str | os.PathLike[str],
    frames: Sequence[Frame],
    cutoff_angstrom: float,
    labels: Sequence[str] = ("energy", "forces"),
) -> None:
    """Make the graphs of some frames and write them; frames may be none.

    Args:
        path: ending in ``.safetensors``.
        frames: consecutive frames of a split.
        cutoff_angstrom: cutoff of the graphs.
        labels: which labels to write, of "energy", "forces", "stress".

    Raises:
        UserError: if a frame lacks one of the labels, or its cell is so small that a neighbour is
            more than 32767 cells away.
    """
    for frame in frames:
        for name in labels:
            if frame.label(name) is None:
                raise UserError(f"{frame.place}: no {name}; give it, or leave the frame out")
    rows = [_row(frame, cutoff_angstrom, labels) for frame in frames]
    max_nodes = max((len(row["atomic_numbers"]) for row in rows), default=0)
    max_edges = max((len(row["senders"]) for row in rows), default=0)
    shapes = _shapes(max_nodes, max_edges, labels)
    arrays = {name: _stack(rows, name, *spec) for name, spec in shapes.items()}
    metadata = {
        "format": _SHARD_FORMAT,
        "version": _VERSION,
        "cutoff_angstrom": float(cutoff_angstrom),
        "labels": [name for name in QUANTITIES if name in labels],
        "n_structures": len(frames),
    }
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {_METADATA_KEY: json.dumps(metadata, sort_keys=True)})


def read_shard(path: str | os.PathLike[str], checksum: str | None = None) -> Shard:
    """Memory-map a shard.

    Args:
        path: the file.
        checksum: SHA-256 that the file must have; ``None``: do not compare.

    Raises:
        UserError: if the file is missing, damaged, truncated or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; prepare the dataset again")
    if checksum is not None and file_digest(path) != checksum:
        raise UserError(
            f"{path}: the shard is damaged or was replaced (its checksum is not that of the"
            " manifest); remove it and prepare the dataset again"
        )
    try:
        metadata, arrays = _map_safetensors(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a readable shard ({error}); remove it and prepare the dataset again"
        ) from None
    if metadata.get("version") != _VERSION:
        raise UserError(
            f"{path}: shard of version {metadata.get('version')}, this program reads {_VERSION};"
            " remove it and prepare the dataset again"
        )
    return Shard(path, metadata, arrays)


def gather(
    shards: Mapping[str, Sequence[str | os.PathLike[str]]],
    dataset_info_path: str | os.PathLike[str],
    atomic_energies: AtomicEnergies = "least_squares",
    avg_num_neighbors: float | None = None,
    avg_r_min_angstrom: float | None = None,
) -> DatasetInfo:
    """Reduce the shards of a dataset to its statistics and write a manifest for each split.

    The manifests are written as ``manifest.json`` into the directories of the shards.

    Args:
        shards: paths of the shards in order, by split; "train" must be among them.
        dataset_info_path: where to write the ``DatasetInfo``.
        atomic_energies: "least_squares" (over the training split), "isolated_atoms" (from
            structures of one atom without periodicity, in any split), or energies in eV by element.
        avg_num_neighbors: instead of the training split's.
        avg_r_min_angstrom: instead of the training split's, Å.

    Raises:
        UserError: if the training split is empty, another split has elements that it lacks, shards
            were made with different settings, or atomic energies are missing.
    """
    opened = {name: [read_shard(path) for path in paths] for name, paths in shards.items()}
    everything = [shard for group in opened.values() for shard in group]
    train = opened["train"]
    if not sum(map(len, train)):
        raise UserError("the training set is empty; give the split more training frames")
    settings = _common_settings(everything)
    elements = _elements(train)
    for name, group in opened.items():
        _require_known_elements(name, group, elements)
    r_min = _mean_min_distance(train) if avg_r_min_angstrom is None else avg_r_min_angstrom
    n_neighbors = _mean_neighbors(train) if avg_num_neighbors is None else avg_num_neighbors
    info = DatasetInfo(
        atomic_energies_map=_resolve_energies(atomic_energies, elements, train, everything),
        cutoff_distance_angstrom=settings["cutoff_angstrom"],
        avg_num_neighbors=n_neighbors,
        avg_r_min_angstrom=r_min,
    )
    for group in opened.values():
        if group:
            write_json(group[0].path.with_name("manifest.json"), _manifest(group, settings))
    write_dataset_info(dataset_info_path, info)
    return info


def load_graph_dataset(
    manifest_path: str | os.PathLike[str],
    dataset_info: DatasetInfo,
    batch_size: int,
    should_shuffle: bool = True,
    *,
    verify: bool = True,
    **dataset_options: Any,
) -> GraphDataset:
    """A split's graphs as batches, read from memory-mapped shards as needed.

    Args:
        manifest_path: ``manifest.json`` of the split.
        dataset_info: of the dataset; gives species and atomic energies, so that batches have
            interaction energies.
        batch_size: most graphs in a batch.
        should_shuffle: whether epochs are shuffled.
        verify: whether to compare the shards' checksums, which reads them once.
        **dataset_options: further keyword arguments of :class:`GraphDataset`, such as ``seed``.

    Raises:
        UserError: if the manifest or a shard is missing, damaged or foreign, or does not belong to
            ``dataset_info``.
    """
    manifest = read_manifest(manifest_path)
    _require_match(manifest_path, manifest, dataset_info)
    directory = Path(manifest_path).parent
    shards = [
        read_shard(directory / entry["file"], entry["sha256"] if verify else None)
        for entry in manifest["shards"]
    ]
    return GraphDataset(
        _graph_store(shards, dataset_info),
        batch_size,
        should_shuffle=should_shuffle,
        atomic_energies=dataset_info.atomic_energies,
        **dataset_options,
    )


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a split.

    Raises:
        UserError: if it is missing or something else.
    """
    return _MANIFEST.read(path)


# Writing


def _row(frame: Frame, cutoff: float, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Unpadded arrays of one structure."""
    cell, pbc = frame.cell, tuple(frame.pbc.tolist())
    senders, receivers, shifts = get_neighborhood(frame.positions, cutoff, pbc, cell)
    if np.abs(shifts).max(initial=0) > np.iinfo(np.int16).max:
        raise UserError(f"{frame.place}: a cell vector is far smaller than the cutoff; check units")
    vectors = get_edge_relative_vectors(
        frame.positions, senders, receivers, shifts, cell, np.array([len(senders)]), use_np=True
    )
    row = {
        "positions": frame.positions,
        "atomic_numbers": frame.numbers,
        "neighbor_counts": np.bincount(receivers, minlength=len(frame)),
        "senders": senders,
        "receivers": receivers,
        "shifts": shifts,
        "cell": cell,
        "n_node": np.array(len(frame)),
        "n_edge": np.array(len(senders)),
        "weight": np.array(1.0),
        "min_distance": np.sqrt(np.square(vectors).sum(axis=1).min(initial=np.inf)),
        **{name: np.asarray(frame.label(name), dtype=np.float64) for name in labels},
    }
    row["digest"] = np.frombuffer(_content_digest(frame, labels), dtype=np.uint8)
    return row


def _content_digest(frame: Frame, labels: Sequence[str]) -> bytes:
    """Hash of structure and labels."""
    digest = sha256(frame.digest.encode())
    for name in labels:
        digest.update(np.asarray(frame.label(name), dtype=np.float64).tobytes())
    return digest.digest()


def _shapes(
    max_nodes: int, max_edges: int, labels: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], Any]]:
    label_shapes = {"energy": (), "forces": (max_nodes, 3), "stress": (3, 3)}
    return {
        "positions": ((max_nodes, 3), np.float64),
        "atomic_numbers": ((max_nodes,), np.uint8),
        "neighbor_counts": ((max_nodes,), np.int32),
        "senders": ((max_edges,), np.int32),
        "receivers": ((max_edges,), np.int32),
        "shifts": ((max_edges, 3), np.int16),
        "cell": ((3, 3), np.float64),
        "n_node": ((), np.int32),
        "n_edge": ((), np.int32),
        "weight": ((), np.float64),
        "min_distance": ((), np.float64),
        "digest": ((32,), np.uint8),
        **{name: (label_shapes[name], np.float64) for name in labels},
    }


def _stack(
    rows: Sequence[Mapping[str, np.ndarray]], name: str, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    result = np.zeros((len(rows), *shape), dtype=dtype)
    for index, row in enumerate(rows):
        value = row[name]
        if shape:
            result[index, : len(value)] = value
        else:
            result[index] = value
    return result


# Reading


def _map_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Views of a file's arrays, and our metadata.

    The format is 8 bytes of header length (little-endian), a JSON header, and the arrays' bytes.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: if the file is not what it should be.
    """
    with open(path, "rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header_length = int.from_bytes(content[:8], "little")
    if header_length > len(content) - 8:
        raise ValueError("truncated")
    header = json.loads(content[8 : 8 + header_length])
    metadata = json.loads(header.pop("__metadata__", {}).get(_METADATA_KEY, "{}"))
    if metadata.get("format") != _SHARD_FORMAT:
        raise ValueError("another kind of file")
    arrays = {}
    for name, entry in header.items():
        begin, end = (8 + header_length + offset for offset in entry["data_offsets"])
        if end > len(content):
            raise ValueError("truncated")
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        array = np.frombuffer(content, dtype, (end - begin) // dtype.itemsize, begin)
        arrays[name] = array.reshape(entry["shape"])
    return metadata, arrays


def _graph_store(shards: Sequence[Shard], info: DatasetInfo) -> GraphStore:
    species_of_number = np.full(256, -1, dtype=np.int32)
    species_of_number[info.z_table.zs] = np.arange(len(info.z_table))
    labels = shards[0].metadata["labels"]
    return GraphStore(
        segments=tuple(_segment(shard) for shard in shards),
        segment=np.repeat(np.arange(len(shards)), [len(shard) for shard in shards]),
        row=np.concatenate([np.arange(len(shard)) for shard in shards]),
        n_node=_column(shards, "n_node").astype(np.int64),
        n_edge=_column(shards, "n_edge").astype(np.int64),
        cell=_column(shards, "cell"),
        weight=_column(shards, "weight"),
        energy=_column(shards, "energy") if "energy" in labels else None,
        stress=_column(shards, "stress") if "stress" in labels else None,
        species_of_code=species_of_number,
    )


def _segment(shard: Shard) -> Segment:
    arrays = shard.arrays
    n, max_nodes = arrays["atomic_numbers"].shape
    max_edges = arrays["senders"].shape[1]
    return Segment(
        positions=arrays["positions"].reshape(-1, 3),
        codes=arrays["atomic_numbers"].reshape(-1),
        forces=arrays["forces"].reshape(-1, 3) if "forces" in arrays else None,
        neighbor_counts=arrays["neighbor_counts"].reshape(-1),
        senders=arrays["senders"].reshape(-1),
        receivers=arrays["receivers"].reshape(-1),
        shifts=arrays["shifts"].reshape(-1, 3),
        node_start=np.arange(n) * max_nodes,
        edge_start=np.arange(n) * max_edges,
    )


def _column(shards: Sequence[Shard], name: str) -> np.ndarray:
    return np.concatenate([shard.arrays[name] for shard in shards])


def _require_match(
    path: str | os.PathLike[str], manifest: Mapping[str, Any], info: DatasetInfo
) -> None:
    if manifest["cutoff_angstrom"] != info.cutoff_distance_angstrom:
        raise UserError(
            f"{path}: graphs with a cutoff of {manifest['cutoff_angstrom']} Å, but"
            f" dataset_info.json says {info.cutoff_distance_angstrom} Å; prepare the dataset again"
        )
    unknown = set(manifest["elements"]) - {chemical_symbols[z] for z in info.z_table.zs}
    if unknown:
        raise UserError(
            f"{path}: has {', '.join(sorted(unknown))}, which is not in the dataset_info.json;"
            " prepare the dataset again"
        )


# Gathering


def _common_settings(shards: Sequence[Shard]) -> dict[str, Any]:
    names = ("cutoff_angstrom", "labels")
    first = shards[0]
    for shard in shards:
        for name in names:
            if shard.metadata[name] != first.metadata[name]:
                raise UserError(
                    f"{shard.path}: made with {name} {shard.metadata[name]}, {first.path} with"
                    f" {first.metadata[name]}; remove both and prepare the dataset again"
                )
    return {name: first.metadata[name] for name in names}


def _elements(shards: Sequence[Shard]) -> list[int]:
    present = {z for shard in shards for z in np.unique(shard.arrays["atomic_numbers"]).tolist()}
    return sorted(present - {0})


def _require_known_elements(name: str, shards: Sequence[Shard], known: Sequence[int]) -> None:
    unknown = [chemical_symbols[z] for z in _elements(shards) if z not in known]
    if unknown:
        raise UserError(
            f"split: {name} has {', '.join(unknown)}, which no training frame has;"
            " change the seed of the split, or add training frames"
        )


def _resolve_energies(
    setting: AtomicEnergies,
    elements: Sequence[int],
    train: Sequence[Shard],
    everything: Sequence[Shard],
) -> dict[int, float]:
    if isinstance(setting, Mapping):
        return require_elements(parse_atomic_energies(setting), elements)
    if "energy" not in train[0].metadata["labels"]:
        raise UserError("atomic energies: the dataset has no energies; give them by element")
    if setting == "isolated_atoms":
        return require_elements(_isolated_atom_energies(everything), elements)
    counts = np.concatenate([_compositions(shard, elements) for shard in train])
    symbols = [chemical_symbols[z] for z in elements]
    fitted = fit_atomic_energies(counts, _column(train, "energy"), symbols)
    return dict(zip(elements, fitted.tolist(), strict=True))


def _isolated_atom_energies(shards: Sequence[Shard]) -> dict[int, float]:
    energies: dict[int, float] = {}
    for shard in shards:
        arrays = shard.arrays
        alone = (arrays["n_node"] == 1) & ~arrays["cell"].any(axis=(1, 2))
        for row in np.flatnonzero(alone):
            z, energy = int(arrays["atomic_numbers"][row, 0]), float(arrays["energy"][row])
            if not math.isclose(energies.setdefault(z, energy), energy, abs_tol=1e-6):
                raise UserError(
                    f"atomic energies: isolated {chemical_symbols[z]} has energies"
                    f" {energies[z]} and {energy} eV; keep one"
                )
    return energies


def _compositions(shard: Shard, elements: Sequence[int]) -> np.ndarray:
    """``[n, n_elements]``: atoms of each element in each structure."""
    numbers = shard.arrays["atomic_numbers"]
    return np.stack([(numbers == z).sum(axis=1) for z in elements], axis=1)


def _mean_neighbors(shards: Sequence[Shard]) -> float:
    """Edges by atoms; atoms without neighbours count."""
    n_edge, n_node = (int(_column(shards, n).sum(dtype=np.int64)) for n in ("n_edge", "n_node"))
    return n_edge / n_node


def _mean_min_distance(shards: Sequence[Shard]) -> float | None:
    distances = _column(shards, "min_distance")
    finite = distances[np.isfinite(distances)]
    return math.fsum(finite) / len(finite) if len(finite) else None


def _force_rms(shards: Sequence[Shard]) -> float | None:
    if "forces" not in shards[0].arrays or not sum(map(len, shards)):
        return None
    # Padding is zero and adds nothing. One sum per structure, then exactly over structures.
    squares = [
        np.square(structure).sum() for shard in shards for structure in shard.arrays["forces"]
    ]
    return math.sqrt(math.fsum(squares) / (3 * int(_column(shards, "n_node").sum())))


def _manifest(shards: Sequence[Shard], settings: Mapping[str, Any]) -> dict[str, Any]:
    structures = sha256(_column(shards, "digest").tobytes()).hexdigest()
    n_node, n_edge = _column(shards, "n_node"), _column(shards, "n_edge")
    return {
        **_MANIFEST.header,
        **settings,
        "fingerprint": json_digest({"version": _VERSION, **settings, "structures": structures}),
        "elements": [chemical_symbols[z] for z in _elements(shards)],
        "n_structures": len(n_node),
        "n_nodes": int(n_node.sum(dtype=np.int64)),
        "n_edges": int(n_edge.sum(dtype=np.int64)),
        "max_nodes": int(n_node.max(initial=0)),
        "max_edges": int(n_edge.max(initial=0)),
        "statistics": {
            "avg_num_neighbors": _mean_neighbors(shards) if len(n_node) else None,
            "avg_r_min_angstrom": _mean_min_distance(shards),
            "force_rms_ev_per_angstrom": _force_rms(shards),
        },
        "shards": [
            {
                "file": shard.path.name,
                "sha256": file_digest(shard.path),
                "n_structures": len(shard),
                "shapes": {name: list(array.shape) for name, array in shard.arrays.items()},
            }
            for shard in shards
        ],
    }
