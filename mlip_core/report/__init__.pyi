from .build import build_report
from .inputs import DatasetInputs, ReportInputs, RunInputs

__all__ = [
    "DatasetInputs",
    "ReportInputs",
    "RunInputs",
    "build_report",
]
