"""Checks of a dataset before anything is trained on it."""

from mlip_core.data.findings import Finding
from mlip_core.data.quality.check import QualityReport, check_files, check_frames
from mlip_core.data.quality.config import ActionsConfig, QualityConfig

__all__ = [
    "ActionsConfig",
    "Finding",
    "QualityConfig",
    "QualityReport",
    "check_files",
    "check_frames",
]
