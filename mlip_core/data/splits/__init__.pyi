from .config import SPLITS, SplitConfig
from .making import make_split
from .split import (
    Split,
    load_previous_split,
    load_split,
    read_split,
    split_size,
    write_split,
)

__all__ = [
    "SPLITS",
    "Split",
    "SplitConfig",
    "load_previous_split",
    "load_split",
    "make_split",
    "read_split",
    "split_size",
    "write_split",
]
