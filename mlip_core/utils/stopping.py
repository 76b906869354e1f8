"""Stopping a program that can be resumed, when it is asked to by a signal."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_RESUME = 75
"""Exit status of a program that was stopped and goes on when it is started again (EX_TEMPFAIL)."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StoppedError(Exception):
    """A program was asked to stop and has saved where it was; starting it again resumes it."""


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM (as from Slurm before a time limit) and SIGINT instead of ending at once.

    Yields a function that tells whether one has come. A second signal ends the program at once.
    Outside the main thread, which alone may handle signals, it never comes.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.set()
        signal.signal(number, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
