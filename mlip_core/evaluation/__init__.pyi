from .definitions import DEFINITIONS
from .energy_shift import fit_energy_shift, read_energy_shift, write_energy_shift
from .evaluation import (
    Evaluation,
    evaluate,
    evaluate_to_files,
    write_evaluation,
)
from .metrics import compute_metrics
from .predicting import Entry, predict_structures
from .predictions_file import read_predictions, write_predictions
from .structures import EvaluatedStructure, Values
from .tables import Tables, atoms_table, structures_table, tabulate

__all__ = [
    "DEFINITIONS",
    "Entry",
    "EvaluatedStructure",
    "Evaluation",
    "Tables",
    "Values",
    "atoms_table",
    "compute_metrics",
    "evaluate",
    "evaluate_to_files",
    "fit_energy_shift",
    "predict_structures",
    "read_energy_shift",
    "read_predictions",
    "structures_table",
    "tabulate",
    "write_energy_shift",
    "write_evaluation",
    "write_predictions",
]
