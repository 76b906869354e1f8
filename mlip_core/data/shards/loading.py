"""Batches from shards."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.helpers.graph_creation import make_segment
from mlip_core.data.helpers.graph_dataset import GraphDataset
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.data.shards.files import Shard, read_shard
from mlip_core.data.shards.manifest import read_manifest
from mlip_core.utils.errors import UserError

# Less than this may stay mapped for as long as it likes.
_KEPT_BYTES = 256 << 20


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

    In memory there are some numbers for each structure, and the batch that is being made.

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
    store = load_graph_store(manifest_path, dataset_info, verify)
    dataset = GraphDataset(
        store,
        batch_size,
        should_shuffle=should_shuffle,
        atomic_energies=dataset_info.atomic_energies,
        **dataset_options,
    )
    if store.release is not None:
        store.release()
    return dataset


def load_graph_store(
    manifest_path: str | os.PathLike[str], dataset_info: DatasetInfo, verify: bool = True
) -> GraphStore:
    """A split's graphs, memory-mapped; arguments and errors as of :func:`load_graph_dataset`."""
    manifest = read_manifest(manifest_path)
    _require_match(manifest_path, manifest, dataset_info)
    directory = Path(manifest_path).parent
    shards = []
    for entry in manifest["shards"]:
        try:
            shards.append(
                read_shard(directory / entry["file"], entry["sha256"] if verify else None)
            )
        except UserError as error:
            raise UserError(
                f"{error}: in a study, remove {manifest_path}, and run it again"
            ) from None
    return _graph_store(shards, manifest, dataset_info)


def _graph_store(
    shards: Sequence[Shard], manifest: Mapping[str, Any], info: DatasetInfo
) -> GraphStore:
    def release() -> None:
        for shard in shards:
            shard.release()

    n_bytes = sum(entry["bytes"] for entry in manifest["shards"])
    empty = make_segment([], info.cutoff_distance_angstrom, manifest["labels"])
    return GraphStore.from_segments(
        [shard.segment for shard in shards] or [empty],
        info.z_table.z_to_index_map(255, unknown=-1),
        release if n_bytes > _KEPT_BYTES else None,
    )


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
