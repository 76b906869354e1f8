"""Structures with labels from files of any format, with no label missed silently."""

from mlip_core.data.frames.block import FrameBlock, in_blocks
from mlip_core.data.frames.checking import frame_from_atoms
from mlip_core.data.frames.frame import BadFrame, Frame, structure_digest
from mlip_core.data.frames.labels import QUANTITIES, LabelKeys
from mlip_core.data.frames.reading import (
    FileFormat,
    iterate_blocks,
    iterate_frames,
    read_frames,
    read_frames_at,
    scan_blocks,
    scan_frames,
)

__all__ = [
    "QUANTITIES",
    "BadFrame",
    "FileFormat",
    "Frame",
    "FrameBlock",
    "LabelKeys",
    "frame_from_atoms",
    "in_blocks",
    "iterate_blocks",
    "iterate_frames",
    "read_frames",
    "read_frames_at",
    "scan_blocks",
    "scan_frames",
    "structure_digest",
]
