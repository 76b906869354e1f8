from .evaluation import Evaluation, evaluate, predict_frames, read_evaluation, write_evaluation
from .metrics import compute_metrics
from .predictions_file import read_predictions, write_predictions
from .structures import EvaluatedStructure, Values

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
