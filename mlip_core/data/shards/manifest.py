"""The manifest of a split: which shards it has, what is in them, and their checksums."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from ase.data import chemical_symbols
from pydantic import BaseModel, Field, NonNegativeInt

from mlip_core.data.helpers.graph_store import Segment
from mlip_core.data.shards.files import SHARD_NAME, SHARD_VERSION, Shard, read_shard
from mlip_core.data.statistics import find_elements, force_rms, mean_min_distance, mean_neighbors
from mlip_core.data.versioned_json import JsonFormat
from mlip_core.utils.files import json_digest

MANIFEST_NAME = "manifest.json"


class _Entry(BaseModel):
    file: Annotated[str, Field(pattern=f"^{SHARD_NAME.pattern}$")]
    sha256: str
    bytes: NonNegativeInt
    n_structures: NonNegativeInt


class _Content(BaseModel):
    cutoff_angstrom: float
    labels: list[Literal["energy", "forces", "stress"]]
    fingerprint: str
    elements: list[str]
    n_structures: NonNegativeInt
    shards: list[_Entry]


_FORMAT = JsonFormat(
    "mlip_core shards", SHARD_VERSION, "manifest of shards", "prepare the dataset again", _Content
)


class ShardedSegments(Iterable[Segment]):
    """The segments of some shards, opened one after the other each time they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __iter__(self) -> Iterator[Segment]:
        return (shard.segment for shard in self.shards())

    def shards(self) -> Iterator[Shard]:
        """The shards."""
        return map(read_shard, self.paths)


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a split.

    Raises:
        UserError: if it is missing or something else.
    """
    return _FORMAT.read(path)


def make_manifest(
    split: ShardedSegments, settings: Mapping[str, Any], checksums: Sequence[str]
) -> dict[str, Any]:
    """The content of a manifest.

    Args:
        split: the shards of the split.
        settings: that all of them were made with.
        checksums: SHA-256 of each.

    The fingerprint stands for the structures, their order and labels, and the settings; neither
    how they are cut into shards nor who made them is part of it.
    """
    structures = sha256()
    entries, n_structures, n_nodes, n_edges, max_nodes, max_edges = [], 0, 0, 0, 0, 0
    labelled = dict.fromkeys(settings["labels"], 0)
    for shard, checksum in zip(split.shards(), checksums, strict=True):
        segment = shard.segment
        structures.update(shard.digest.tobytes())
        entries.append(_entry(shard, checksum))
        n_structures += len(shard)
        n_nodes += int(segment.n_node.sum(dtype=np.int64))
        n_edges += int(segment.n_edge.sum(dtype=np.int64))
        max_nodes = max(max_nodes, int(segment.n_node.max(initial=0)))
        max_edges = max(max_edges, int(segment.n_edge.max(initial=0)))
        for name in labelled:
            labelled[name] += int(segment.is_labelled(name).sum())
    identity = {"version": SHARD_VERSION, **settings, "structures": structures.hexdigest()}
    return {
        **_FORMAT.header,
        **settings,
        "fingerprint": json_digest(identity),
        "elements": [chemical_symbols[z] for z in find_elements(split)],
        "n_structures": n_structures,
        "n_nodes": n_nodes,
        "n_edges": n_edges,
        "max_nodes": max_nodes,
        "max_edges": max_edges,
        "n_labelled": labelled,
        "statistics": {
            "avg_num_neighbors": mean_neighbors(split) if n_nodes else None,
            "avg_r_min_angstrom": mean_min_distance(split),
            "force_rms_ev_per_angstrom": force_rms(split),
        },
        "shards": entries,
    }


def _entry(shard: Shard, checksum: str) -> dict[str, Any]:
    return {
        "file": shard.path.name,
        "sha256": checksum,
        "bytes": shard.path.stat().st_size,
        "n_structures": len(shard),
    }
