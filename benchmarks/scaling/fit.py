"""Power laws through times at several sizes."""

from collections.abc import Sequence

import numpy as np

FITTED = 3
"""A power law is that of the largest sizes: small ones show what a step costs at least."""


def exponent_of(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Of the power law through the last points, by least squares of logarithms.

    Raises:
        ValueError: if there are fewer than two of them.
    """
    if len(sizes) < 2:
        raise ValueError("a power law needs two sizes")
    return float(np.polyfit(np.log(sizes[-FITTED:]), np.log(seconds[-FITTED:]), 1)[0])


def fitted(sizes: Sequence[float], seconds: Sequence[float]) -> list[tuple[float, float]]:
    """The sizes that were fitted, and the seconds of the power law there."""
    exponent = exponent_of(sizes, seconds)
    size, time = (float(np.exp(np.mean(np.log(each[-FITTED:])))) for each in (sizes, seconds))
    return [(one, time * (one / size) ** exponent) for one in sizes[-FITTED:]]
