"""A tree of arrays as a few flat arrays: quick to write, however many small leaves it has."""

from hashlib import sha256
from typing import Any

import jax
import numpy as np

Packed = dict[str, np.ndarray]
Layout = list[tuple[str, str, list[int]]]


def pack(tree: Any) -> tuple[Packed, Layout]:
    """Concatenate the leaves by type.

    Returns:
        One flat array for each type, by its name, and name, type and shape of each leaf in order.
    """
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(tree))
    arrays = [(jax.tree_util.keystr(path), np.asarray(leaf)) for path, leaf in leaves]
    parts: dict[str, list[np.ndarray]] = {}
    for _, array in arrays:
        parts.setdefault(array.dtype.name, []).append(array.ravel())
    packed = {dtype: np.concatenate(parts[dtype]) for dtype in sorted(parts)}
    return packed, [(name, array.dtype.name, list(array.shape)) for name, array in arrays]


def layout_of(tree: Any) -> Layout:
    """The layout that ``pack`` would return."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [
        (jax.tree_util.keystr(path), np.dtype(leaf.dtype).name, list(leaf.shape))
        for path, leaf in leaves
    ]


def unpack(packed: Packed, template: Any) -> Any:
    """The tree that was packed, on the device, in the structure of ``template``.

    The layouts have to be equal.
    """
    offsets = dict.fromkeys(packed, 0)
    leaves = []
    for _, dtype, shape in layout_of(template):
        start = offsets[dtype]
        offsets[dtype] = start + int(np.prod(shape))
        leaves.append(jax.numpy.array(packed[dtype][start : offsets[dtype]].reshape(shape)))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def digest(packed: Packed) -> str:
    """SHA-256 of all bytes."""
    total = sha256()
    for dtype in sorted(packed):
        total.update(dtype.encode())
        total.update(np.ascontiguousarray(packed[dtype]).data)
    return total.hexdigest()


def first_difference(stored: Layout, wanted: Layout) -> str | None:
    """What is different between two layouts, in words; ``None`` if they are equal."""
    for one, other in zip(stored, wanted, strict=False):
        if (one[0], one[1], list(one[2])) != (other[0], other[1], list(other[2])):
            return f"{one[0]} {one[1]}{list(one[2])} there, {other[0]} {other[1]}{other[2]} here"
    if len(stored) != len(wanted):
        return f"{len(stored)} arrays there, {len(wanted)} here"
    return None
