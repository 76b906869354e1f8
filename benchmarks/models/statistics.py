"""From repeated timings to medians, their spread, and ratios of medians."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Summary:
    """A quantity that was measured several times.

    Attributes:
        median: the middle value.
        low: the lower quartile.
        high: the upper quartile.
        count: how often it was measured.
    """

    median: float
    low: float
    high: float
    count: int


def summarise(values: Sequence[float]) -> Summary:
    """Median and quartiles.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        return Summary(values[0], values[0], values[0], 1)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Summary(median(values), low, high, len(values))


def seconds_of_batch(
    seconds: Sequence[float], structures: Sequence[int], batch_size: int
) -> list[float]:
    """Time for ``batch_size`` structures, of steps that may have done fewer.

    Libraries that pack batches into a fixed number of atoms and edges do not fill each: what counts
    is structures per second.
    """
    pairs = zip(seconds, structures, strict=True)
    return [time * batch_size / count for time, count in pairs]


def ratio(peer: Summary, ours: Summary) -> float:
    """How many times as much the peer needs, by the medians."""
    return peer.median / ours.median
