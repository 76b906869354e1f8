"""Confidence intervals of errors by the bootstrap over structures.

The entries of one structure are not independent of each other, so whole structures are drawn, with
replacement (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993; intervals of
percentiles, chapter 13). Every statistic is a function of sums over entries. These are kept for
each structure once; all draws are then the product of two matrices: how often each structure was
drawn, and these sums.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlip_core.evaluation.definitions import CONFIDENCE_PERCENT
from mlip_core.utils.seeds import derive_seed

Statistics = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From totals ``[n_draws, n_sums]`` to each statistic's values ``[n_draws]``."""

# So many numbers of draws at once stay in the cache of a processor.
_AT_ONCE = 1 << 18


class _Task(NamedTuple):
    """A summary that waits for its intervals.

    Attributes:
        summary: gets the intervals.
        n_structures: how many structures it is about.
        rows: those that were counted, these and maybe others, with sums of 0.
        sums: ``[n_rows, n_sums]``.
        statistics: from the totals of the sums.
    """

    summary: dict[str, Any]
    n_structures: int
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
        sums = np.stack([np.bincount(structure, term, size) for term in terms.T], axis=1)
        members = np.flatnonzero(np.bincount(structure, minlength=size))
        # Most of the structures: with all, one product serves many summaries.
        rows = members if 2 * len(members) < size else np.arange(size)
        self._tasks.append(_Task(summary, len(members), rows, sums[rows], statistics))

    def run(self) -> None:
        """Fill in all intervals."""
        if not self._n_resamples:
            return
        alike: dict[bytes, list[_Task]] = {}
        for task in self._tasks:
            alike.setdefault(task.rows.tobytes(), []).append(task)
        totals = self._totals([(tasks[0].rows, _side_by_side(tasks)) for tasks in alike.values()])
        for tasks, of_tasks in zip(alike.values(), totals, strict=True):
            ends = np.cumsum([task.sums.shape[1] for task in tasks])
            for task, drawn in zip(tasks, np.split(of_tasks, ends[:-1], axis=1), strict=True):
                _fill_in(task, drawn)

    def _totals(self, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """``[n_draws, n_sums]`` of each part, that is rows and the sums of each of them."""
        totals = [np.empty((self._n_resamples, sums.shape[1])) for _, sums in parts]
        for draws, counts in self._draws():
            for (rows, sums), total in zip(parts, totals, strict=True):
                is_part = len(rows) < self._n_structures
                total[draws] = (counts.take(rows, axis=1) if is_part else counts) @ sums
        return totals

    def _draws(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some draws at a time and ``[n_draws, n_structures]``, how often each was drawn."""
        rng = np.random.default_rng(self._seed)
        size = self._n_structures
        at_once = max(1, _AT_ONCE // size)
        for start in range(0, self._n_resamples, at_once):
            n_draws = min(at_once, self._n_resamples - start)
            drawn = rng.integers(size, size=(n_draws, size)) + size * np.arange(n_draws)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n_draws * size)
            draws = slice(start, start + n_draws)
            yield draws, counts.reshape(n_draws, size).astype(np.float64)


def _side_by_side(tasks: Sequence[_Task]) -> np.ndarray:
    return np.concatenate([task.sums for task in tasks], axis=1)


def _fill_in(task: _Task, totals: np.ndarray) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = task.statistics(totals)
    known = task.n_structures > 1
    task.summary["confidence"] = {
        name: _interval(values) if known else None for name, values in drawn.items()
    }


def _interval(values: np.ndarray) -> list[float] | None:
    """Of the draws for which the statistic exists; ``None`` if there is none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    tail = (100 - CONFIDENCE_PERCENT) / 2
    return np.percentile(values, [tail, 100 - tail]).tolist()
