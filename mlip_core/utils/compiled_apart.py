"""Parts of a program that XLA's CPU backend compiles by themselves."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata

Function = Callable[..., Any]

_is_for_any_backend = ContextVar("_is_for_any_backend", default=False)


def compiled_apart(function: Function, num_static: int = 0) -> Function:
    """``function``, into and out of which XLA's CPU backend fuses nothing.

    What this backend fuses it computes again wherever it is used, through changes of shape, too:
    such loops are not vectorised and divide indices for each element. An ``optimization_barrier``
    does not help, as it is gone before the fusion. A function that is called and not inlined does.
    Other backends fuse as they like.

    Args:
        function: of static arguments, then arrays. Its automatic derivatives may be fused.
        num_static: how many arguments are static.
    """
    compiled = jax.jit(function, static_argnums=range(num_static))

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        if _is_for_any_backend.get() or jax.default_backend() != "cpu":
            return compiled(*arguments)
        with set_xla_metadata(inlineable="false"):
            return compiled(*arguments)

    return call


@contextmanager
def for_any_backend() -> Iterator[None]:
    """Trace without what is meant for this process's backend: programs for others are exported.

    A function that was traced before keeps its trace.
    """
    token = _is_for_any_backend.set(True)
    try:
        yield
    finally:
        _is_for_any_backend.reset(token)
