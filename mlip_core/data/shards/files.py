"""One shard: some consecutive structures of a split as flat arrays in a safetensors file."""

import json
import mmap
import os
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mlip_core.data.frames import QUANTITIES, Frame
from mlip_core.data.helpers.graph_creation import Structure, TooManyImagesError, make_segment
from mlip_core.data.helpers.graph_store import Segment
from mlip_core.data.versioned_arrays import ArraysFormat
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest, remove_unfinished, write_json

PART_NAME = "shards.json"
"""The file in which a job lists its shards."""

SHARD_NAME = re.compile(r"shard-\d{5}-of-(\d{5})\.safetensors")

SHARD_VERSION = 2
_REMEDY = "prepare the dataset again"
_FORMAT = ArraysFormat("mlip_core shard", SHARD_VERSION, "shard", _REMEDY)
_DTYPES = {
    "F64": np.float64,
    "I32": np.int32,
    "U32": np.uint32,
    "U16": np.uint16,
    "I8": np.int8,
    "U8": np.uint8,
}
# Of arrays that are not of one number per graph: what they have rows for, and further axes.
_SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "cell": ("graphs", (3, 3)),
    "stress": ("graphs", (3, 3)),
    "digest": ("graphs", (32,)),
    "positions": ("atoms", (3,)),
    "forces": ("atoms", (3,)),
    "codes": ("atoms", ()),
    "neighbor_counts": ("atoms", ()),
    "senders": ("edges", ()),
    "shifts": ("edges", (3,)),
    "reverse": ("edges", ()),
}


@dataclass(frozen=True)
class Shard:
    """An open shard.

    Attributes:
        path: the file.
        metadata: format, version, cutoff and labels.
        segment: read-only views of the file, with atomic numbers as codes.
        digest: ``[n, 32]``, hash of each structure with its labels.
    """

    path: Path
    metadata: dict[str, Any]
    segment: Segment
    digest: np.ndarray
    mapping: mmap.mmap

    def __len__(self) -> int:
        return len(self.segment)

    def release(self) -> None:
        """Give pages that were read back to the system; they are read again when needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)


def shard_name(index: int, n_shards: int) -> str:
    """File name of a shard."""
    return f"shard-{index:05d}-of-{n_shards:05d}.safetensors"


@dataclass(frozen=True)
class ShardPlan:
    """How a split is cut into shards, whoever makes them.

    Attributes:
        n_structures: of the split.
        structures_per_shard: all shards but the last have so many.
    """

    n_structures: int
    structures_per_shard: int

    @property
    def n_shards(self) -> int:
        """Shards of the split."""
        return -(-self.n_structures // self.structures_per_shard)

    def of_job(self, job: int, n_jobs: int) -> range:
        """Numbers of the shards that job ``job`` of ``n_jobs`` makes: consecutive, evenly."""
        return range(self.n_shards * job // n_jobs, self.n_shards * (job + 1) // n_jobs)

    def structures(self, shards: range) -> tuple[int, int]:
        """The first structure of consecutive shards, and the one after their last."""
        ends = (shard * self.structures_per_shard for shard in (shards.start, shards.stop))
        first, last = (min(end, self.n_structures) for end in ends)
        return first, last


def write_shards(
    directory: str | os.PathLike[str],
    frames: Iterable[Frame],
    plan: ShardPlan,
    shards: Iterable[int],
    cutoff_angstrom: float,
    labels: Sequence[str] = ("energy", "forces"),
    missing_labels: bool = False,
) -> None:
    """Write some consecutive shards of a split; no more than one is in memory.

    The last thing to be written is ``shards.json``, their names and checksums: a file that is the
    same if they are, and is missing if one is.

    Args:
        directory: where; it is made, and shards that are there already are removed.
        frames: of these shards, in the order of the split.
        plan: of the split.
        shards: their numbers.
        cutoff_angstrom: see :func:`write_shard`.
        labels: see :func:`write_shard`.
        missing_labels: see :func:`write_shard`.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PART_NAME).unlink(missing_ok=True)
    remove_shards(directory)
    frames = iter(frames)
    paths = [directory / shard_name(number, plan.n_shards) for number in shards]
    for path in paths:
        remove_unfinished(path)
        share = list(islice(frames, plan.structures_per_shard))
        write_shard(path, share, cutoff_angstrom, labels, missing_labels)
    write_json(directory / PART_NAME, {path.name: file_digest(path) for path in paths})


def remove_shards(directory: Path, keep: Container[str] = ()) -> None:
    """Remove the shards in a directory but those of some names."""
    for path in directory.iterdir():
        if SHARD_NAME.fullmatch(path.name) and path.name not in keep:
            path.unlink()


def write_shard(
    path: str | os.PathLike[str],
    frames: Sequence[Frame],
    cutoff_angstrom: float,
    labels: Sequence[str] = ("energy", "forces"),
    missing_labels: bool = False,
) -> None:
    """Make the graphs of some frames and write them.

    Args:
        path: ending in ``.safetensors``.
        frames: consecutive frames of a split.
        cutoff_angstrom: cutoff of the graphs.
        labels: which labels to write, of "energy", "forces", "stress".
        missing_labels: whether frames may lack labels, which are then masked in batches.

    Raises:
        UserError: if a frame lacks a label and may not, or its cell is so small that a neighbour is
            more than 127 cells away.
    """
    if not missing_labels:
        _require_labels(frames, labels)
    try:
        segment = make_segment(map(_structure, frames), cutoff_angstrom, labels)
    except TooManyImagesError as error:
        raise UserError(f"{frames[error.index].place}: {error}") from None
    digests = b"".join(_content_digest(frame, labels) for frame in frames)
    header = {
        "cutoff_angstrom": float(cutoff_angstrom),
        "labels": [name for name in QUANTITIES if name in labels],
    }
    digest = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)
    _FORMAT.write(path, header, segment.arrays() | {"digest": digest})


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
            f" manifest); {_REMEDY}"
        )
    try:
        metadata, arrays, mapping = _map_safetensors(path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not a readable shard ({error}); {_REMEDY}") from None
    if metadata.get("version") != SHARD_VERSION:
        raise UserError(
            f"{path}: shard of version {metadata.get('version')}, this program reads"
            f" {SHARD_VERSION}; {_REMEDY}"
        )
    try:
        digest = arrays.pop("digest")
        segment = Segment(reverse=arrays.pop("reverse", None), **arrays)
        _require_shapes(segment, digest)
    except (KeyError, TypeError):
        raise UserError(f"{path}: a shard without some of its arrays; {_REMEDY}") from None
    except ValueError as error:
        raise UserError(f"{path}: damaged: {error}; {_REMEDY}") from None
    return Shard(path, metadata, segment, digest, mapping)


def _require_shapes(segment: Segment, digest: np.ndarray) -> None:
    """Compare the lengths of arrays with each other.

    Raises:
        ValueError: if one has another shape than it should.
    """
    n_atoms, n_edges = (segment.n_node.sum(dtype=np.int64), segment.n_edge.sum(dtype=np.int64))
    for name, array in {**segment.arrays(), "digest": digest}.items():
        rows, columns = _SHAPES.get(name, ("graphs", ()))
        length = {"graphs": len(segment), "atoms": n_atoms, "edges": n_edges}[rows]
        if array.shape != (length, *columns):
            raise ValueError(f"{name} has the shape {array.shape}, not {(int(length), *columns)}")


def _structure(frame: Frame) -> Structure:
    return Structure(
        frame.numbers,
        frame.positions,
        frame.cell,
        frame.pbc.tolist(),
        1.0,
        frame.energy,
        frame.forces,
        frame.stress,
    )


def _require_labels(frames: Sequence[Frame], labels: Sequence[str]) -> None:
    for frame in frames:
        for name in labels:
            if frame.label(name) is None:
                raise UserError(f"{frame.place}: no {name}; give it, or leave the frame out")


def _content_digest(frame: Frame, labels: Sequence[str]) -> bytes:
    """Hash of structure and labels."""
    digest = sha256(frame.digest.encode())
    for name in labels:
        value = frame.label(name)
        digest.update(b"" if value is None else np.asarray(value, dtype=np.float64).tobytes())
    return digest.digest()


def _map_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], mmap.mmap]:
    """Our metadata, views of a file's arrays, and the mapping.

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
    metadata = json.loads(header.pop("__metadata__", {}).get("mlip_core", "{}"))
    if metadata.get("format") != _FORMAT.name:
        raise ValueError("another kind of file")
    arrays = {}
    for name, entry in header.items():
        begin, end = (8 + header_length + offset for offset in entry["data_offsets"])
        if end > len(content):
            raise ValueError("truncated")
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        array = np.frombuffer(content, dtype, (end - begin) // dtype.itemsize, begin)
        arrays[name] = array.reshape(entry["shape"])
    return metadata, arrays, content
