"""Structures from HDF5 files."""

from mlip_core.data.chemical_systems_readers.frame_reader import FrameReader


class Hdf5Reader(FrameReader):
    """Reads HDF5 files with one group per structure, in the order of the groups' names.

    A group has the datasets ``positions`` (``[n_atoms, 3]``), ``elements`` (atomic numbers) and
    ``forces``, optionally ``stress``, ``cell`` and ``pbc``, and the attribute ``energy``; the names
    of the labels and the units are those of ``config.labels``.
    """

    file_format = "hdf5"
