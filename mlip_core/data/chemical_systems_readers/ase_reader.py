"""Structures from files of any format that ASE reads."""

from mlip_core.data.chemical_systems_readers.frame_reader import FrameReader


class AseReader(FrameReader):
    """Reads trajectories (.traj), databases (.db), OUTCAR, vasprun.xml, .cif and the like."""

    file_format = "ase"
