from .check import QualityReport, check_files, check_frames
from .config import ActionsConfig, QualityConfig

__all__ = [
    "ActionsConfig",
    "QualityConfig",
    "QualityReport",
    "check_files",
    "check_frames",
]
