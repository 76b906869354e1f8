"""What the readers of files of frames have in common."""

from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.chemical_systems_readers.chemical_systems_reader import ChemicalSystemsReader
from mlip_core.data.chemical_systems_readers.utils import Systems
from mlip_core.data.frames import FileFormat, Frame, iterate_frames


class FrameReader(ChemicalSystemsReader):
    """Reads files of one format, whatever they are called.

    Every structure must have energy and forces, unless ``config.labels.missing`` is "mask".
    """

    file_format: ClassVar[FileFormat]

    def read_file(self, path: Path, limit: int | None) -> Systems:
        """Read at most ``limit`` structures of a file; see :func:`iterate_frames`."""
        frames = iterate_frames(path, self.config.labels, file_format=self.file_format)
        return [system_from_frame(frame) for frame in islice(frames, limit)]


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
