"""The columns of an XYZ frame's atoms: what they mean, and their numbers read in bulk."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from pydantic_core import from_json

from mlip_core.data.frames.extxyz_comment import fortran_float
from mlip_core.data.frames.frame import BadKind
from mlip_core.data.frames.raw import BadContentError

Wanted = frozenset[str] | None

_PLAIN = "species:S:1:pos:R:3"
_GRAMMAR = "must be a list of name:kind:number of columns, with the kinds R, I, L and S"
_NUMERIC = b"0123456789+-.eE, \r\n"
_SPACE, _COMMA = ord(" "), ord(",")
_TRUTHS = {b"T": True, b"True": True, b"F": False, b"False": False}


class _Elements(dict[bytes, int]):
    """Atomic numbers by symbol in any case."""

    def __missing__(self, word: bytes) -> int:
        try:
            number = atomic_numbers[word.decode("ascii", "replace").capitalize()]
        except KeyError:
            raise KeyError(word) from None
        self[word] = number
        return number


_ELEMENTS = _Elements()

# Atomic numbers by the two characters of a symbol; 0 if there is none such.
_SYMBOLS = np.zeros((256, 256), dtype=np.int64)
for _number, _symbol in enumerate(chemical_symbols[1:], start=1):
    _SYMBOLS[tuple(_symbol.ljust(2).encode())] = _number


class BadWordError(BadContentError):
    """A word in an atom's line is not what its column holds."""

    def __init__(self, kind: BadKind, problem: str, atom: int) -> None:
        super().__init__(kind, problem)
        self.atom = atom


@dataclass(frozen=True)
class Column:
    """A property of the atoms: ``width`` columns from ``first`` on, of kind R, I, L or S."""

    name: str
    kind: str
    first: int
    width: int

    @property
    def span(self) -> range:
        """The columns."""
        return range(self.first, self.first + self.width)


@dataclass(frozen=True)
class Layout:
    """What the columns hold.

    Attributes:
        width: number of columns.
        is_open: whether further columns, which nothing describes, may follow.
        elements: where the elements are, as symbols or atomic numbers.
        numeric: positions, then the other properties of numbers to be read.
        textual: the other properties to be read.
        unread: names of those that are not.
        is_aligned: whether a line with a column too many or too few puts something else than an
            element where one must be, so that it need not be looked for.
    """

    width: int
    is_open: bool
    elements: Column
    numeric: tuple[Column, ...]
    textual: tuple[Column, ...]
    unread: tuple[str, ...]
    is_aligned: bool


def layout_of(properties: Any, wanted: Wanted) -> Layout:
    """The layout that the value of ``Properties`` describes; without one, of a plain file.

    Raises:
        BadContentError: if it describes none.
    """
    if properties is None:
        return _layout(_PLAIN, wanted, is_open=True)
    return _layout(str(properties), wanted, is_open=False)


@lru_cache(maxsize=1 << 10)
def _layout(properties: str, wanted: Wanted, is_open: bool) -> Layout:
    columns = _parse_properties(properties)
    width = sum(column.width for column in columns.values())
    lettered = sum(column.width for column in columns.values() if column.kind in "SL")
    symbols = columns.pop("species", None)
    elements = columns.pop("Z", symbols)
    positions = columns.pop("pos", None)
    if elements is None or elements.width != 1 or elements.kind != ("S", "I")[elements != symbols]:
        raise _bad_properties(properties, "needs elements, as species:S:1 or Z:I:1")
    if positions is None or (positions.kind, positions.width) != ("R", 3):
        raise _bad_properties(properties, "needs positions, as pos:R:3")
    read = [c for name, c in columns.items() if wanted is None or name in wanted]
    return Layout(
        width=width,
        is_open=is_open,
        elements=elements,
        numeric=(positions, *(column for column in read if column.kind in "RI")),
        textual=tuple(column for column in read if column.kind in "LS"),
        unread=tuple(name for name in columns if wanted is not None and name not in wanted),
        is_aligned=elements == symbols and lettered == 1,
    )


@lru_cache(maxsize=1 << 10)
def widened(layout: Layout, width: int) -> Layout:
    """The layout of a file that has more columns than it says."""
    return replace(layout, width=max(layout.width, width))


def _parse_properties(properties: str) -> dict[str, Column]:
    fields = properties.split(":")
    if len(fields) % 3:
        raise _bad_properties(properties, _GRAMMAR)
    columns: dict[str, Column] = {}
    first = 0
    for name, kind, digits in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if kind not in tuple("RILS") or not digits.isdecimal() or int(digits) == 0:
            raise _bad_properties(properties, _GRAMMAR)
        if name in columns:
            raise _bad_properties(properties, f"names {name} twice")
        columns[name] = Column(name, kind, first, int(digits))
        first += int(digits)
    return columns


def _bad_properties(properties: str, problem: str) -> BadContentError:
    return BadContentError("unreadable", f"Properties={properties} {problem}")


def read_columns(
    text: bytes, line_length: int, layout: Layout, count: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Atomic numbers ``[count]``, positions ``[count, 3]`` and the other properties by name.

    Args:
        text: the lines of the atoms.
        line_length: how long each line is; 0 if they differ.
        layout: what the columns mean.
        count: number of atoms.

    Raises:
        BadWordError: if a word is not what its column holds.
    """
    aligned = _read_aligned(text, line_length, layout) if line_length else None
    words = [] if aligned else text.split()
    if not aligned and len(words) != count * layout.width:
        raise BadWordError("unreadable", "wrong number of columns", 0)
    numbers, table = aligned or (_read_elements(words, layout), _read_numbers(words, layout, count))
    positions, *others = _divided(table, layout)
    columns: dict[str, Any] = dict.fromkeys(layout.unread)
    for column, values in zip(layout.numeric[1:], others, strict=True):
        columns[column.name] = values
    for column in layout.textual:
        columns[column.name] = _read_textual(words, column, layout.width)
    return numbers, positions, columns


def _read_elements(words: list[bytes], layout: Layout) -> np.ndarray:
    words = words[layout.elements.first :: layout.width]
    if layout.elements.kind == "I":
        return _integers(_floats(words, (layout.elements,), len(words)), layout.elements)
    try:
        return np.array(list(map(_ELEMENTS.__getitem__, words)), dtype=np.int64)
    except KeyError as error:
        word = error.args[0]
        raise BadWordError(
            "unknown element", f"{_shown(word)} is not an element", words.index(word)
        ) from None


def _read_numbers(words: list[bytes], layout: Layout, count: int) -> np.ndarray:
    """The columns of numbers, in the order of the layout, ``[count, n_columns]``."""
    flat: list[bytes] = []
    for column in layout.numeric:
        for i in column.span:
            flat += words[i :: layout.width]
    width = sum(column.width for column in layout.numeric)
    return _floats(flat, layout.numeric, count).reshape(width, count).T


def _divided(table: np.ndarray, layout: Layout) -> Iterator[np.ndarray]:
    """The properties that the columns of a table are."""
    first = 0
    for column in layout.numeric:
        last = first + column.width
        values = table[:, first] if column.width == 1 else table[:, first:last]
        yield _integers(values, column) if column.kind == "I" else np.ascontiguousarray(values)
        first = last


def _read_aligned(
    text: bytes, line_length: int, layout: Layout
) -> tuple[np.ndarray, np.ndarray] | None:
    """Elements and numbers of lines whose columns stand below each other, without making words.

    Args:
        text: the lines.
        line_length: how long each of them is.
        layout: what the columns mean.

    Returns:
        Atomic numbers ``[count]`` and the columns of numbers ``[count, n_columns]``, in the order
        of the layout; ``None`` if the columns do not stand so, or are something else than symbols
        and numbers of JSON.
    """
    if layout.elements.kind != "S" or layout.textual:
        return None
    lines = np.frombuffer(bytearray(text), dtype=np.uint8).reshape(-1, line_length)
    is_white = (lines <= _SPACE).all(axis=0)
    edges = np.flatnonzero(np.diff(is_white, prepend=True, append=True)).tolist()
    fields = list(zip(edges[::2], edges[1::2], strict=True))
    if len(fields) != layout.width:
        return None
    symbols = lines[:, slice(*fields[layout.elements.first])]
    numbers = _SYMBOLS[symbols[:, 0], symbols[:, 1] if symbols.shape[1] == 2 else _SPACE]
    table = _table(lines, fields, [i for column in layout.numeric for i in column.span])
    if table is None or symbols.shape[1] > 2 or not numbers.all():
        return None
    return numbers, table


def _table(
    lines: np.ndarray, fields: list[tuple[int, int]], wanted: list[int]
) -> np.ndarray | None:
    """The numbers of some fields: with commas in the white columns before them, they are JSON."""
    for i, (begin, end) in enumerate(fields):
        if i in wanted:
            lines[:, begin - 1] = _COMMA
        else:
            lines[:, begin:end] = _SPACE
    lines[0, fields[min(wanted)][0] - 1] = _SPACE
    values = _json_numbers(lines.tobytes())
    # A comma in the file would be one number more.
    if values is None or len(values) != len(lines) * len(wanted):
        return None
    # In the file's order of columns; position i of the wanted ones is the rank of its column.
    return values.reshape(len(lines), -1)[:, np.argsort(np.argsort(wanted))]


def _json_numbers(text: bytes) -> np.ndarray | None:
    """Numbers with commas between them; ``None`` if one is no number of JSON.

    A JSON parser reads decimal numbers exactly as ``float`` does, in a fraction of the time.
    """
    if text.translate(None, _NUMERIC):
        return None
    try:
        values = from_json(b"[%b]" % text)
        return np.fromiter(values, np.float64, len(values))
    except (ValueError, OverflowError):
        return None


def _floats(words: list[bytes], columns: tuple[Column, ...], count: int) -> np.ndarray:
    """The numbers of some columns, one column after the other.

    What is no number of JSON ("1.", "+1", "nan", "1.0D+00") is read one by one.
    """
    values = _json_numbers(b",".join(words))
    if values is not None and len(values) == len(words):
        return values
    return np.array([_float(word, i, columns, count) for i, word in enumerate(words)], dtype=float)


def _float(word: bytes, index: int, columns: tuple[Column, ...], count: int) -> float:
    try:
        return fortran_float(word.decode())
    except ValueError:
        names = [column.name for column in columns for _ in column.span]
        raise BadWordError(
            "unreadable",
            f"{_shown(word)} in {names[index // count]} is not a number",
            index % count,
        ) from None


def _integers(values: np.ndarray, column: Column) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, and so is found
        integers = values.astype(np.int64)
    if (integers != values).any():
        atom = int(np.flatnonzero(integers != values)[0]) // column.width
        raise BadWordError("unreadable", f"{column.name} is not an integer", atom)
    return integers


def _read_textual(words: list[bytes], column: Column, width: int) -> np.ndarray:
    arrays = []
    for i in column.span:
        texts = words[i::width]
        if column.kind == "S":
            decoded = [text.decode("utf-8", "backslashreplace") for text in texts]
            arrays.append(np.array(decoded, dtype=object))
            continue
        truths = [_TRUTHS.get(text) for text in texts]
        if None in truths:
            atom = truths.index(None)
            problem = f"{_shown(texts[atom])} in {column.name} is neither T nor F"
            raise BadWordError("unreadable", problem, atom)
        arrays.append(np.array(truths, dtype=bool))
    return arrays[0] if column.width == 1 else np.stack(arrays, axis=1)


def _shown(word: bytes) -> str:
    return repr(word.decode("utf-8", "backslashreplace"))
