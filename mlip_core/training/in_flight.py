"""A bound on how far the host runs ahead of the device."""

from collections import deque
from typing import TypeVar

import jax

MAX_STEPS_IN_FLIGHT = 8

T = TypeVar("T")


class InFlight:
    """Results of the latest steps, which may still be computed.

    JAX returns before a step is done, so the host can prepare the next one meanwhile. Without a
    bound, it would queue a whole epoch with all its batches in memory.
    """

    def __init__(self, limit: int = MAX_STEPS_IN_FLIGHT) -> None:
        """Set the number of steps that may be under way."""
        self._limit = limit
        self._results: deque[jax.Array] = deque()

    def add(self, result: jax.Array) -> list[jax.Array]:
        """Add the result of a step; if there are too many, wait for the oldest and return it."""
        self._results.append(result)
        if len(self._results) <= self._limit:
            return []
        return [jax.block_until_ready(self._results.popleft())]

    def drain(self) -> list[jax.Array]:
        """Wait for all and return them, oldest first."""
        results = jax.block_until_ready(list(self._results))
        self._results.clear()
        return results
