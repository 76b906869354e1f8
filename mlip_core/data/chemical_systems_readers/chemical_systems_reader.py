"""What every reader of structures has in common."""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlip_core.data.chemical_systems_readers.utils import (
    Postprocess,
    Splits,
    Systems,
    filter_systems_with_unseen_atoms_and_assign_atomic_species,
)
from mlip_core.data.configs import ChemicalSystemsReaderConfig, DatasetPath
from mlip_core.data.helpers.graph_creation import (
    StructureBlock,
    in_structure_blocks,
    structure_of,
)

DownloadFunction = Callable[[str | os.PathLike[str], str | os.PathLike[str]], None]


class ChemicalSystemsReader(ABC):
    """Reads structures for training, validation and test from files."""

    Config = ChemicalSystemsReaderConfig

    def __init__(
        self,
        config: ChemicalSystemsReaderConfig,
        data_download_fun: DownloadFunction | None = None,
    ) -> None:
        """Make a reader; nothing is read yet.

        Args:
            config: which files.
            data_download_fun: called as ``fun(path, local_path)`` before a file is read, if the
                paths are remote; the local copy is removed after reading.
        """
        self.config = config
        self.data_download_fun = data_download_fun

    def load(
        self,
        postprocess_fun: (
            Postprocess | None
        ) = filter_systems_with_unseen_atoms_and_assign_atomic_species,
    ) -> Splits:
        """Read the files.

        Args:
            postprocess_fun: applied to the three lists; by default it numbers the elements of the
                training set and drops other structures with other elements.

        Returns:
            Structures for training, validation and test.

        Raises:
            UserError: if a file cannot be read, or a structure lacks energy or forces.
        """
        config = self.config
        splits = (
            self._read_all(config.train_dataset_paths, config.train_num_to_load),
            self._read_all(config.valid_dataset_paths, config.valid_num_to_load),
            self._read_all(config.test_dataset_paths, config.test_num_to_load),
        )
        return splits if postprocess_fun is None else postprocess_fun(*splits)

    def load_blocks(self) -> Iterator[Iterator[StructureBlock]]:
        """The structures for training, for validation and for the test, as flat arrays.

        Atomic numbers are their codes. Nothing is filtered; errors are those of :meth:`load`.
        """
        return (in_structure_blocks(map(structure_of, split)) for split in self.load(None))

    @abstractmethod
    def read_file(self, path: Path, limit: int | None) -> Systems:
        """Read at most ``limit`` structures of one local file.

        Species are those of the file's elements until they are numbered for the whole dataset.
        """

    def _read_all(
        self, paths: DatasetPath | list[DatasetPath] | None, limit: int | None
    ) -> Systems:
        systems: Systems = []
        for path in as_list(paths):
            left = None if limit is None else limit - len(systems)
            if left == 0:
                break
            with self._local(path) as local:
                systems += self.read_file(local, left)
        return systems

    @contextmanager
    def _local(self, path: DatasetPath) -> Iterator[Path]:
        """A file that can be read, as long as it is."""
        if self.data_download_fun is None:
            yield Path(path)
            return
        with tempfile.TemporaryDirectory() as directory:
            local = Path(directory) / Path(path).name
            self.data_download_fun(path, local)
            yield local


def as_list(paths: DatasetPath | list[DatasetPath] | None) -> list[DatasetPath]:
    """A path, several or none as a list."""
    return [paths] if isinstance(paths, str | Path) else paths or []
