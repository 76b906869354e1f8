"""Atoms' lines whose columns stand below each other, as most programs write them, read at once.

With commas put into the white columns between the numbers, the lines are JSON, whose parser reads
numbers exactly as ``float`` does in a third of the time, and no words need to be made.
"""

import numpy as np
from ase.data import chemical_symbols
from pydantic_core import from_json

from mlip_core.data.frames.extxyz_columns import Layout

_SPACE, _COMMA, _DIGITS = ord(" "), ord(","), b"0123456789+-.eE, \r\n"
_LONGEST_SYMBOL = 2

# Atomic numbers by the two characters of the symbol as an integer.
_NUMBERS = np.zeros(1 << 16, dtype=np.int64)
for _number, _symbol in enumerate(chemical_symbols[1:], start=1):
    _NUMBERS[int.from_bytes(_symbol.ljust(_LONGEST_SYMBOL).encode(), "little")] = _number


def read_aligned(text: bytes, layout: Layout, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Elements and numbers of lines of equal length.

    Args:
        text: the lines.
        layout: what their columns mean.
        count: how many they are.

    Returns:
        Atomic numbers ``[count]`` and the numbers of ``layout.numeric``, ``[count, n_columns]``;
        ``None`` if the columns do not stand below each other or are something else than a symbol
        and numbers of JSON.
    """
    if layout.elements.kind != "S" or layout.textual:
        return None
    lines = np.frombuffer(text, dtype=np.uint8).reshape(count, -1).copy()
    is_white = (lines <= _SPACE).all(axis=0)
    edges = np.flatnonzero(np.diff(is_white, prepend=True, append=True)).tolist()
    fields = list(zip(edges[::2], edges[1::2], strict=True))
    if len(fields) != layout.width:
        return None
    begin, end = fields[layout.elements.first]
    if end - begin > _LONGEST_SYMBOL:
        return None
    symbols = np.ndarray(count, "<u2", text, begin, (lines.shape[1],))
    numbers = _NUMBERS[symbols if end - begin == 2 else symbols & 0xFF | _SPACE << 8]
    values = _numbers(lines, fields, layout)
    return None if values is None or not numbers.all() else (numbers, values)


def _numbers(
    lines: np.ndarray, fields: list[tuple[int, int]], layout: Layout
) -> np.ndarray | None:
    """The numbers of the layout's columns, in its order; overwrites everything else."""
    order = [i for column in layout.numeric for i in column.span]
    for i, (begin, end) in enumerate(fields):
        if i in order:
            lines[:, begin - 1] = _COMMA
        else:
            lines[:, begin:end] = _SPACE
    first = min(order)
    lines[0, fields[first][0] - 1] = _SPACE
    text = lines.tobytes()
    if text.translate(None, _DIGITS):
        return None
    try:
        values = np.fromiter(from_json(b"[%b]" % text), np.float64)
    except (ValueError, OverflowError):
        return None
    table = values.reshape(len(lines), len(order))
    return table if order == sorted(order) else table[:, np.argsort(np.argsort(order))]
