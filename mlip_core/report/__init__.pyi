from .build import build_report, write_dataset_page, write_entry_page, write_overview
from .inputs import (
    DatasetInputs,
    EntryInputs,
    Evaluated,
    ReportInputs,
    dataset_inputs,
    entry_inputs,
)
from .model_card import write_best_card, write_model_card

__all__ = [
    "DatasetInputs",
    "EntryInputs",
    "Evaluated",
    "ReportInputs",
    "build_report",
    "dataset_inputs",
    "entry_inputs",
    "write_best_card",
    "write_dataset_page",
    "write_entry_page",
    "write_model_card",
    "write_overview",
]
