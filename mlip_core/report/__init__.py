"""The report of a study: one page with its figures, from the files of the study."""

from mlip_core.report.build import build_report
from mlip_core.report.inputs import DatasetInputs, ReportInputs, RunInputs

__all__ = ["DatasetInputs", "ReportInputs", "RunInputs", "build_report"]
