"""Confidence intervals of errors by the bootstrap over structures.

The entries of one structure are not independent of each other, so whole structures are drawn, with
replacement (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993; intervals of
percentiles, chapter 13). Every statistic is a function of sums over entries. These are kept for
each structure once; a draw is then a product of the numbers of times that structures were drawn
with these sums.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlip_core.evaluation.definitions import CONFIDENCE_PERCENT
from mlip_core.utils.seeds import derive_seed

Statistics = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From totals ``[n_draws, n_sums]`` to each statistic's values ``[n_draws]``."""

# So many numbers of draws at once stay in the cache of a processor.
_AT_ONCE = 1 << 18


class _Task(NamedTuple):
    """A summary that waits for its intervals, and the sums of the structures that it is about."""

    summary: dict[str, Any]
    rows: np.ndarray
    sums: np.ndarray
    statistics: Statistics


class Bootstrap:
    """Gathers what intervals are wanted for, then draws once for all of it."""

    def __init__(self, n_structures: int, n_resamples: int, seed: int) -> None:
        """For a test set of ``n_structures``; without resamples there are no intervals."""
        self._n_structures = n_structures
        self._n_resamples = n_resamples
        self._seed = derive_seed(seed, "bootstrap of test structures")
        self._tasks: list[_Task] = []

    def add(
        self,
        summary: dict[str, Any],
        structure: np.ndarray,
        terms: np.ndarray,
        statistics: Statistics,
    ) -> None:
        """Want intervals for a summary of some entries.

        Args:
            summary: gets ``confidence`` when :meth:`run` is called: ``[low, high]``, or ``None``,
                by name of the statistic.
            structure: ``[n]``, the structure that each entry belongs to.
            terms: ``[n, n_sums]``, what an entry adds to each of the sums.
            statistics: from the sums over entries to the statistics.
        """
        size = self._n_structures
        sums = [np.bincount(structure, weights=term, minlength=size) for term in terms.T]
        rows = np.flatnonzero(np.bincount(structure, minlength=size))
        self._tasks.append(_Task(summary, rows, np.stack(sums, axis=1)[rows], statistics))

    def run(self) -> None:
        """Fill in all intervals."""
        if not self._n_resamples:
            return
        totals: list[list[np.ndarray]] = [[] for _ in self._tasks]
        for counts in self._draws():
            for task, parts in zip(self._tasks, totals, strict=True):
                is_part = len(task.rows) < self._n_structures
                parts.append((counts.take(task.rows, axis=1) if is_part else counts) @ task.sums)
        for task, parts in zip(self._tasks, totals, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = task.statistics(np.concatenate(parts))
            known = len(task.rows) > 1
            task.summary["confidence"] = {
                name: _interval(values) if known else None for name, values in drawn.items()
            }

    def _draws(self) -> Iterator[np.ndarray]:
        """``[n_draws, n_structures]``, how often each structure was drawn; some draws at a time."""
        rng = np.random.default_rng(self._seed)
        size = self._n_structures
        at_once = max(1, _AT_ONCE // size)
        for start in range(0, self._n_resamples, at_once):
            n_draws = min(at_once, self._n_resamples - start)
            drawn = rng.integers(size, size=(n_draws, size)) + size * np.arange(n_draws)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n_draws * size)
            yield counts.reshape(n_draws, size).astype(np.float64)


def _interval(values: np.ndarray) -> list[float] | None:
    """Of the draws for which the statistic exists; ``None`` if there is none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    tail = (100 - CONFIDENCE_PERCENT) / 2
    return np.percentile(values, [tail, 100 - tail]).tolist()
