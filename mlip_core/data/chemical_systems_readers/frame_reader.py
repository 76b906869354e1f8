"""What the readers of files of frames have in common."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.chemical_systems_readers.chemical_systems_reader import (
    ChemicalSystemsReader,
    as_list,
)
from mlip_core.data.chemical_systems_readers.utils import Systems
from mlip_core.data.configs import DatasetPath
from mlip_core.data.frames import FileFormat, Frame, iterate_blocks, iterate_frames
from mlip_core.data.helpers.graph_creation import StructureBlock


class FrameReader(ChemicalSystemsReader):
    """Reads files of one format, whatever they are called.

    Every structure must have energy and forces, unless ``config.labels.missing`` is "mask".
    """

    file_format: ClassVar[FileFormat]

    def read_file(self, path: Path, limit: int | None) -> Systems:
        """Read at most ``limit`` structures of a file; see :func:`iterate_frames`."""
        frames = iterate_frames(path, self.config.labels, file_format=self.file_format)
        return [system_from_frame(frame) for frame in islice(frames, limit)]

    def load_blocks(self) -> Iterator[Iterator[StructureBlock]]:
        """See :meth:`ChemicalSystemsReader.load_blocks`; no object is made of each structure.

        A class that reads or loads in a way of its own keeps it.
        """
        cls = type(self)
        if cls.read_file is not FrameReader.read_file or cls.load is not FrameReader.load:
            return super().load_blocks()
        config = self.config
        splits = (
            (config.train_dataset_paths, config.train_num_to_load),
            (config.valid_dataset_paths, config.valid_num_to_load),
            (config.test_dataset_paths, config.test_num_to_load),
        )
        return (self._blocks(*split) for split in splits)

    def _blocks(
        self, paths: DatasetPath | list[DatasetPath] | None, limit: int | None
    ) -> Iterator[StructureBlock]:
        n_read = 0
        for path in as_list(paths):
            if n_read == limit:
                return
            with self._local(path) as local:
                left = None if limit is None else limit - n_read
                for block in self._file_blocks(local, left):
                    n_read += len(block.n_node)
                    yield block

    def _file_blocks(self, path: Path, limit: int | None) -> Iterator[StructureBlock]:
        left = limit
        for frames in iterate_blocks(path, self.config.labels, file_format=self.file_format):
            block = StructureBlock.of_frames(frames)
            if left is not None and len(frames) >= left:
                yield block.take(np.arange(len(frames)) < left)
                return
            yield block
            left = None if left is None else left - len(frames)


def system_from_frame(frame: Frame) -> ChemicalSystem:
    """A frame as a structure whose species are numbered within itself.

    A structure that is not periodic has no cell, whatever the file says.
    """
    return ChemicalSystem(
        atomic_numbers=frame.numbers,
        atomic_species=np.unique(frame.numbers, return_inverse=True)[1],
        positions=frame.positions,
        energy=frame.energy,
        forces=frame.forces,
        stress=frame.stress,
        cell=frame.cell if frame.pbc.any() else None,
        pbc=tuple(frame.pbc.tolist()),
    )
