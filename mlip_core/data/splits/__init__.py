"""Which frame is for training, validation or test: decided once, written to files, kept."""

from mlip_core.data.splits.config import SPLITS, SplitConfig
from mlip_core.data.splits.making import make_split
from mlip_core.data.splits.split import Split, load_split, read_split, split_size, write_split

__all__ = [
    "SPLITS",
    "Split",
    "SplitConfig",
    "load_split",
    "make_split",
    "read_split",
    "split_size",
    "write_split",
]
