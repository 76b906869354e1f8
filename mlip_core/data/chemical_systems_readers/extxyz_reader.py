"""Structures from extended XYZ files."""

from mlip_core.data.chemical_systems_readers.frame_reader import FrameReader


class ExtxyzReader(FrameReader):
    """Reads XYZ files, plain or extended; compressed if their names end in .gz, .bz2 or .xz."""

    file_format = "xyz"
