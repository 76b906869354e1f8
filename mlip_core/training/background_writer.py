"""Files written in order by one thread, while training goes on."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

MAX_WRITES_WAITING = 4


class BackgroundWriter:
    """Runs writes one after another; the first that fails is raised at the next call."""

    def __init__(self) -> None:
        """Start without a thread; it comes with the first write."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        self._pending: deque[Future[None]] = deque()

    def submit(self, write: Callable[[], None]) -> Future[None]:
        """Queue a write; waits if too many are waiting."""
        self._collect(MAX_WRITES_WAITING)
        self._pending.append(self._executor.submit(write))
        return self._pending[-1]

    def wait(self) -> None:
        """Wait for all writes."""
        self._collect(0)

    def _collect(self, n_may_wait: int) -> None:
        while self._pending and (len(self._pending) > n_may_wait or self._pending[0].done()):
            self._pending.popleft().result()
