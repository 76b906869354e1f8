"""What a check of the table returns, and how it is counted."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mlip_core.data.findings import count_frames


class Suspects(NamedTuple):
    """Rows of a table in which something is wrong.

    Attributes:
        check: name of the check, a field of ``ActionsConfig``.
        which: mask of the table's rows.
        message: what is wrong.
        remedy: what to do about it.
    """

    check: str
    which: np.ndarray
    message: str
    remedy: str


Found = Iterator[Suspects]


def counted(which: np.ndarray) -> str:
    """``1 frame``, ``2 frames``."""
    return count_frames(int(which.sum()))


def median_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Median, and 1.4826 times the median absolute deviation from it.

    1.4826 makes the spread equal to the standard deviation for normally distributed values.
    """
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))
