"""Orbax checkpoints as directories of named items, each written whole or not at all."""

import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import orbax.checkpoint as ocp

from mlip_core.utils.errors import as_system_error

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

DAMAGE = (OSError, ValueError, KeyError, TypeError)
"""What a cut-off or overwritten file makes Orbax, TensorStore and JSON raise."""

_LOGGERS = ("absl", "asyncio")  # the first is Orbax's


def save_items(path: Path, trees: dict[str, Any], record: Any) -> None:
    """Write a checkpoint under a temporary name, then rename it; one that is there is replaced.

    Args:
        path: the directory to be.
        trees: trees of NumPy arrays, each an item.
        record: a JSON value, the item ``record``.

    Raises:
        OSError: if it cannot be written.
    """
    remove_unfinished(path.parent)
    items = {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items()}
    args = ocp.args.Composite(**items, record=ocp.args.JsonSave(record))
    try:
        with _without_tracebacks():
            _run_apart(partial(_save, path, args))
    except ValueError as error:  # TensorStore's for whatever the system says
        raise as_system_error(error, path) from error
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def restore_items(path: Path, *names: str) -> tuple[Any, ...]:
    """Read items of a checkpoint, as trees of NumPy arrays, and its record last."""
    items = {name: ocp.args.PyTreeRestore() for name in names}
    args = ocp.args.Composite(**items, record=ocp.args.JsonRestore())
    with _checkpointer() as checkpointer:
        restored = checkpointer.restore(path, args=args)
    return *(restored[name] for name in names), restored["record"]


def finished(directory: Path) -> list[int]:
    """The numbers that name the finished checkpoints of a directory, in order."""
    paths = directory.glob("*")
    return sorted(int(path.name) for path in paths if path.is_dir() and path.name.isdigit())


def remove_unfinished(directory: Path) -> None:
    """Remove what a killed process has left half-written."""
    for path in directory.glob("*"):
        if path.is_dir() and not path.name.isdigit():
            shutil.rmtree(path)


def _save(path: Path, args: ocp.args.Composite) -> None:
    with _checkpointer() as checkpointer:
        checkpointer.save(path, args=args, force=True)


def _run_apart(call: Callable[[], None]) -> None:
    """Run in a thread that the end of the process does not wait for, nor for those it starts.

    Some of Orbax's wait five minutes for directories that could not be made.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    thread = threading.Thread(target=run, name="checkpoint", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keep Orbax, asyncio and TensorStore from showing tracebacks of the error that is raised.

    After an error it stays so: other writes are still under way in their threads, which end, and
    complain, at any later time.
    """
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in _LOGGERS}
    show = sys.unraisablehook
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    sys.unraisablehook = partial(_show_unless_late, show)
    yield
    sys.unraisablehook = show
    for logger, level in levels.items():
        logger.setLevel(level)


def _show_unless_late(
    show: Callable[["UnraisableHookArgs"], object], args: "UnraisableHookArgs"
) -> None:
    """Show an error, unless a write of TensorStore's ended when nobody waited for it any more."""
    if str(args.exc_value) != "Event loop is closed":
        show(args)


def _checkpointer() -> ocp.Checkpointer:
    """One that does not wait for other processes: one writes, and each reads for itself."""
    process = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=process,
        active_processes={process},
        barrier_sync_key_prefix=f"process-{process}",
    )
    handler = ocp.CompositeCheckpointHandler(
        composite_options=ocp.CompositeOptions(multiprocessing_options=alone)
    )
    return ocp.Checkpointer(handler, multiprocessing_options=alone)
