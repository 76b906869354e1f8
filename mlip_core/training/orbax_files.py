"""Orbax checkpoints as directories of named items, each written whole or not at all."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from mlip_core.utils.errors import as_system_error

DAMAGE = (OSError, ValueError, KeyError, TypeError)
"""What a cut-off or overwritten file makes Orbax, TensorStore and JSON raise."""


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
        with _without_tracebacks(), _checkpointer() as checkpointer:
            checkpointer.save(path, args=args, force=True)
    except ValueError as error:  # TensorStore's for whatever the system says
        raise as_system_error(error, path) from error


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


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keep Orbax from logging the errors that it raises, with the tracebacks of its threads."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


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
