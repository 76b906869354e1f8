"""What is logged, and by what."""

from collections.abc import Callable
from enum import Enum
from typing import Any


class LogCategory(Enum):
    """Tells a logging function what it is given.

    Attributes:
        BEST_MODEL: loss and epoch of the best model so far, after each evaluation.
        TRAIN_METRICS: averages over the training set during an epoch.
        EVAL_METRICS: averages over the validation set.
        TEST_METRICS: averages over a test set.
        SYSTEM_METRICS: time and throughput of an epoch.
        CLEANUP_AFTER_CKPT_RESTORATION: training goes on from a checkpoint of the given epoch; what
            a logger has of later epochs will come again.
    """

    BEST_MODEL = 0
    TRAIN_METRICS = 1
    EVAL_METRICS = 2
    TEST_METRICS = 3
    SYSTEM_METRICS = 4
    CLEANUP_AFTER_CKPT_RESTORATION = 5


Logger = Callable[[LogCategory, dict[str, Any], int], None]
"""A function of a category, what to log, and the number of the epoch."""
