"""Errors of a model on test sets: predictions in batches, exact metrics, files."""

from mlip_core.evaluation.evaluation import (
    Evaluation,
    evaluate,
    predict_frames,
    read_evaluation,
    write_evaluation,
)
from mlip_core.evaluation.metrics import compute_metrics
from mlip_core.evaluation.predictions_file import read_predictions, write_predictions
from mlip_core.evaluation.structures import EvaluatedStructure, Values

__all__ = [
    "EvaluatedStructure",
    "Evaluation",
    "Values",
    "compute_metrics",
    "evaluate",
    "predict_frames",
    "read_evaluation",
    "read_predictions",
    "write_evaluation",
    "write_predictions",
]
