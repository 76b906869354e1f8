"""From files of structures to batches in one object."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import jax
import numpy as np
from jax.sharding import Mesh

from mlip_core.data.chemical_systems_readers import ChemicalSystemsReader, CombinedReader
from mlip_core.data.chemical_systems_readers.utils import warn_of_unseen_elements
from mlip_core.data.configs import GraphDatasetBuilderConfig
from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.helpers.data_prefetching import (
    ParallelGraphDataset,
    PrefetchIterator,
    create_global_arrays,
)
from mlip_core.data.helpers.graph_creation import StructureBlock, make_segment_of_blocks
from mlip_core.data.helpers.graph_dataset import GraphDataset
from mlip_core.data.helpers.graph_store import GraphStore, Segment, subtract_atomic_energies
from mlip_core.data.statistics import compute_dataset_info, find_elements
from mlip_core.utils.errors import UserError

Datasets = tuple[GraphDataset, GraphDataset, GraphDataset]
PrefetchedDatasets = tuple[PrefetchIterator, PrefetchIterator, PrefetchIterator]


class DatasetsHaveNotBeenProcessedError(Exception):
    """``prepare_datasets`` must be called first."""


class DevicesNotProvidedForPrefetchingError(Exception):
    """Prefetching needs a mesh or a list of devices."""


class GraphDatasetBuilder:
    """Reads structures, makes their graphs and statistics, and offers them as batches."""

    Config = GraphDatasetBuilderConfig

    def __init__(
        self,
        reader: ChemicalSystemsReader | CombinedReader,
        dataset_config: GraphDatasetBuilderConfig,
        dataset_info: DatasetInfo | None = None,
    ) -> None:
        """Make a builder; nothing is read yet.

        Args:
            reader: of the structures.
            dataset_config: how graphs and batches are made.
            dataset_info: of the dataset that a model was trained on, to use instead of computing
                one; its elements are then the known ones.
        """
        self._reader = reader
        self._config = dataset_config
        self._given_info = dataset_info
        self._dataset_info: DatasetInfo | None = None
        self._datasets: Datasets | None = None

    def prepare_datasets(self) -> None:
        """Read, make graphs, compute statistics.

        Raises:
            UserError: if a file cannot be used or there is no structure to train on.
        """
        config = self._config
        known = None if self._given_info is None else self._given_info.z_table.zs
        segments = []
        names = ("training", "validation", "test")
        for name, blocks in zip(names, self._reader.load_blocks(), strict=True):
            selected = blocks if known is None else _with_elements(blocks, known, name)
            segments.append(make_segment_of_blocks(selected, config.graph_cutoff_angstrom))
            if not len(segments[0]):
                raise UserError(
                    "the training set is empty; give train_dataset_paths with structures"
                )
            known = find_elements(segments) if known is None else known
        info = self._given_info or compute_dataset_info(
            segments[:1],
            config.graph_cutoff_angstrom,
            avg_num_neighbors=config.avg_num_neighbors,
            avg_r_min_angstrom=config.avg_r_min_angstrom,
        )
        self._dataset_info = info
        train, valid, test = (
            self._dataset(segment, info, is_training=index == 0)
            for index, segment in enumerate(segments)
        )
        self._datasets = train, valid, test

    def get_splits(
        self,
        prefetch: bool = False,
        mesh: Mesh | None = None,
        devices: list[jax.Device] | None = None,
    ) -> Datasets | PrefetchedDatasets:
        """Batches for training, validation and test.

        Args:
            prefetch: make batches ahead in a thread, stacked for the devices and put onto them.
            mesh: the devices; its first axis is that of the data.
            devices: the devices, if there is no mesh.

        Raises:
            DatasetsHaveNotBeenProcessedError: before ``prepare_datasets``.
            DevicesNotProvidedForPrefetchingError: with ``prefetch``, without mesh and devices.
        """
        if self._datasets is None:
            raise DatasetsHaveNotBeenProcessedError("call prepare_datasets() first")
        if not prefetch:
            return self._datasets
        if mesh is None and devices is None:
            raise DevicesNotProvidedForPrefetchingError("prefetching needs a mesh or devices")
        if mesh is None:
            mesh = Mesh(np.array(devices), ("data",))
        train, valid, test = (self._prefetched(dataset, mesh) for dataset in self._datasets)
        return train, valid, test

    @property
    def dataset_info(self) -> DatasetInfo:
        """Statistics of the training set, or those given.

        Raises:
            DatasetsHaveNotBeenProcessedError: before ``prepare_datasets``.
        """
        if self._dataset_info is None:
            raise DatasetsHaveNotBeenProcessedError("call prepare_datasets() first")
        return self._dataset_info

    def _dataset(self, segment: Segment, info: DatasetInfo, is_training: bool) -> GraphDataset:
        store = GraphStore.from_segments([segment], info.z_table.z_to_index_map(255, unknown=-1))
        if self._config.use_formation_energies:
            formation = subtract_atomic_energies(store, info.atomic_energies)
            store = replace(store, segments=(replace(segment, energy=formation),))
        return GraphDataset(
            store,
            self._config.batch_size,
            self._config.max_n_node,
            self._config.max_n_edge,
            should_shuffle=is_training,
            atomic_energies=(None if self._config.use_formation_energies else info.atomic_energies),
        )

    def _prefetched(self, dataset: GraphDataset, mesh: Mesh) -> PrefetchIterator:
        stacked = PrefetchIterator(
            ParallelGraphDataset(dataset, mesh.shape[mesh.axis_names[0]]),
            self._config.num_batch_prefetch,
        )
        return PrefetchIterator(
            stacked,
            self._config.batch_prefetch_num_devices,
            lambda batch: create_global_arrays(batch, mesh),
        )


def _with_elements(
    blocks: Iterable[StructureBlock], known: Sequence[int], name: str
) -> Iterator[StructureBlock]:
    """Leave out structures with other elements than the known ones, and say so at the end."""
    n_structures = n_kept = 0
    present: set[int] = set()
    for block in blocks:
        starts = np.cumsum(block.n_node) - block.n_node
        are_known = np.logical_and.reduceat(np.isin(block.codes, known), starts)
        n_structures, n_kept = n_structures + len(are_known), n_kept + int(are_known.sum())
        present |= set(np.unique(block.codes).tolist())
        if are_known.any():
            yield block if are_known.all() else block.take(are_known)
    warn_of_unseen_elements(name, n_structures, n_kept, present - set(known))
