"""An engine that goes on only when it is told to.

Engines run from start to end and call loggers on the way. Here that happens in a thread of its own,
and the logger waits: each ``advance`` lets the engine go on until it calls its logger again. This
module runs in the environments of the peers: it needs the standard library alone.
"""

from threading import Semaphore, Thread
from typing import Any


class PacedEngine:
    """A simulation engine of the 0.1 API of mlip, which is that of this project, too.

    Args:
        engine: it has not run yet; the time of its first call of a logger is not counted.
    """

    def __init__(self, engine: Any) -> None:
        self._go, self._reached = Semaphore(0), Semaphore(0)
        self._step = 0
        self._failure: BaseException | None = None
        engine.attach_logger(self._pause)
        Thread(target=self._run, args=(engine,), daemon=True).start()
        self._reached.acquire()

    def advance(self) -> int:
        """Let it go on to the next call of its logger; the number of steps that it took."""
        before = self._step
        self._go.release()
        self._reached.acquire()
        if self._failure is not None:
            raise RuntimeError("the engine failed") from self._failure
        return self._step - before

    def _run(self, engine: Any) -> None:
        try:
            engine.run()
        except BaseException as failure:  # noqa: BLE001 (another thread shows it)
            self._failure = failure
        self._reached.release()

    def _pause(self, state: Any) -> None:
        self._step = state.step
        self._reached.release()
        self._go.acquire()
