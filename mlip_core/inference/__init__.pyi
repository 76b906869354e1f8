from .batched_inference import iterate_predictions, run_batched_inference
from .values import Values

__all__ = [
    "Values",
    "iterate_predictions",
    "run_batched_inference",
]
