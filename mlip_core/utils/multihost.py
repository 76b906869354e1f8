"""Several processes that compute together: who does what, and whether they agree."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_LONGEST_STRING = 4096


def only_specific_processes(processes: int | list[int] = 0) -> Callable[..., Any]:
    """Decorator: the function runs on these processes only, and gives ``None`` on all others."""
    chosen = [processes] if isinstance(processes, int) else processes

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs) if jax.process_index() in chosen else None

        return run

    return decorate


def assert_pytrees_match_across_hosts(tree: Any) -> None:
    """Raise ``AssertionError`` unless all processes have the same numbers in a tree."""
    multihost_utils.assert_equal(tree, "the processes have different numbers")


def assert_pytrees_match(a: Any, b: Any) -> None:
    """Raise ``AssertionError`` unless two trees have the same structure and numbers."""
    paths_a, paths_b = (dict(jax.tree_util.tree_leaves_with_path(tree)) for tree in (a, b))
    assert paths_a.keys() == paths_b.keys(), "the trees differ in structure"
    for path, leaf in paths_a.items():
        np.testing.assert_array_equal(leaf, paths_b[path])


def create_replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Each device of the mesh has the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def create_dp_sharding(mesh: Mesh) -> NamedSharding:
    """The first axis of arrays is divided between the devices along the first axis of the mesh."""
    return NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))


def sync_string(value: str | None) -> str:
    """The text that the first process has, on all of them.

    Raises:
        ValueError: if it is longer than 4096 bytes.
    """
    content = (value or "").encode()
    if len(content) > _LONGEST_STRING:
        raise ValueError(f"the text has {len(content)} bytes; at most {_LONGEST_STRING} are sent")
    buffer = np.zeros(_LONGEST_STRING, np.uint8)
    buffer[: len(content)] = np.frombuffer(content, np.uint8)
    received = np.asarray(multihost_utils.broadcast_one_to_all(buffer))
    return received.tobytes().rstrip(b"\0").decode()
