"""Mean and spread over the members of a committee."""

import numpy as np

from mlip_core.utils.errors import UserError

FEWEST_MEMBERS = 2


def mean_and_spread(predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over members, ``[n_members, ...]`` to ``[...]`` each.

    The standard deviation is the square root of the unbiased variance, with n - 1.
    """
    return predictions.mean(axis=0), predictions.std(axis=0, ddof=1)


def require_members(number: int) -> None:
    """Raise a ``UserError`` unless there are enough members to have a spread."""
    if number < FEWEST_MEMBERS:
        raise UserError(f"a committee of {number}: the spread needs at least {FEWEST_MEMBERS}")
