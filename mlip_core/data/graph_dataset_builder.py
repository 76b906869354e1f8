"""From files of structures to batches in one object."""

from dataclasses import replace

import jax
import numpy as np
from jax.sharding import Mesh

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.chemical_systems_readers import ChemicalSystemsReader, CombinedReader
from mlip_core.data.chemical_systems_readers.utils import (
    Splits,
    filter_systems_with_unseen_atoms_and_assign_atomic_species,
)
from mlip_core.data.configs import GraphDatasetBuilderConfig
from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.helpers.data_prefetching import (
    ParallelGraphDataset,
    PrefetchIterator,
    create_global_arrays,
)
from mlip_core.data.helpers.graph_creation import make_segment, structure_of
from mlip_core.data.helpers.graph_dataset import GraphDataset
from mlip_core.data.helpers.graph_store import GraphStore, Segment, subtract_atomic_energies
from mlip_core.data.statistics import compute_dataset_info
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
        splits = self._reader.load(postprocess_fun=self._select)
        if not splits[0]:
            raise UserError("the training set is empty; give train_dataset_paths with structures")
        config = self._config
        segments = [
            make_segment(map(structure_of, systems), config.graph_cutoff_angstrom)
            for systems in splits
        ]
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

    def _select(
        self,
        train: list[ChemicalSystem],
        valid: list[ChemicalSystem],
        test: list[ChemicalSystem],
    ) -> Splits:
        z_table = None if self._given_info is None else self._given_info.z_table
        return filter_systems_with_unseen_atoms_and_assign_atomic_species(
            train, valid, test, z_table
        )

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
