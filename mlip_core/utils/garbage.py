"""Tracing without the collector of garbage in between."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for reference cycles meanwhile.

    To trace a network makes millions of small objects that live on. Python's collector looks
    through them, and through all of JAX, again and again: half of the time that tracing takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
