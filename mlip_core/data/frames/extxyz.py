"""Reading of XYZ files, plain and extended, from bytes and in one pass.

A frame is a line with the number of atoms, a comment line of ``key=value`` pairs, and a line of
columns per atom, which the key ``Properties`` describes. The grammar is that of ASE's reader
(``ase.io.extxyz``) and of https://github.com/libAtoms/extxyz; what neither defines is refused.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mlip_core.data.frames.block import MAX_ATOMS, MAX_FRAMES
from mlip_core.data.frames.extxyz_columns import (
    BadWordError,
    Layout,
    Wanted,
    layout_of,
    read_columns,
    widened,
)
from mlip_core.data.frames.extxyz_comment import parse_comment
from mlip_core.data.frames.frame import BadFrame
from mlip_core.data.frames.raw import NO_CELL, BadContentError, RawBlock, bad_frame
from mlip_core.utils.errors import UserError

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PERIODIC = {False: np.zeros(3, dtype=bool), True: np.ones(3, dtype=bool)}
# A damaged number of atoms must not make us read the whole file before anything is looked at.
_LINES_AT_ONCE = 1 << 12
# Lines of different lengths take longer to read, but not so few of them.
_FEW_ATOMS = 1 << 9
# A frame found by its offset needs little of the file, a whole file is read in large pieces.
_SMALLEST_CHUNK = 1 << 13
_LARGEST_CHUNK = 1 << 18
_LONGEST_LINE = 1 << 24


@dataclass(slots=True)
class _Text:
    """A frame whose header has been read and whose atoms are still text.

    Attributes:
        info: properties of the frame.
        cell: ``[3, 3]``.
        pbc: ``[3]``.
        layout: what the columns mean.
        lines: the atoms' lines.
        line_length: how long each of them is; 0 if they differ.
        count: number of atoms.
        file: path of the file.
        index: position in the file.
        offset: byte at which the frame begins; ``None`` in a compressed file.
        first_line: number of the first atom's line.
    """

    info: dict[str, Any]
    cell: np.ndarray
    pbc: np.ndarray
    layout: Layout
    lines: bytes
    line_length: int
    count: int
    file: str
    index: int
    offset: int | None
    first_line: int


def is_xyz(path: Path) -> bool:
    """Whether the name is that of an XYZ file, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in (".xyz", ".extxyz")


def iterate(
    path: Path, wanted: Wanted = None, only: Container[int] | None = None
) -> Iterator[RawBlock | BadFrame]:
    """Read a file, some frames at a time.

    Args:
        path: the file; compressed if its name ends in .gz, .bz2 or .xz.
        wanted: the per-atom columns to read beside elements and positions; all if ``None``. Others
            are listed with the value ``None``.
        only: leave out all frames but those of these numbers.

    Raises:
        UserError: if the file cannot be read (any further).
    """
    with _open(path) as file:
        yield from _read(_texts(_Lines(path, file), wanted, only))


def read_at(
    path: Path, places: Iterable[tuple[int, int]], wanted: Wanted = None
) -> Iterator[RawBlock | BadFrame]:
    """Read good frames at known ``(index, offset)`` of a file that is not compressed.

    Raises:
        UserError: if there is no such frame there any more.
    """
    with _open(path) as file:
        for raw in _read(_texts_at(_Lines(path, file), places, wanted)):
            if isinstance(raw, BadFrame):
                raise _moved(path, raw.index)
            yield raw


def _moved(path: Path, index: int) -> UserError:
    return UserError(
        f"{path}: frame {index} is not where it was; the file has changed, so check it again"
    )


def _open(path: Path) -> BinaryIO:
    opener = _OPENERS.get(path.suffix.lower())
    return open(path, "rb", buffering=0) if opener is None else opener(path, "rb")


class _Lines:
    """The lines of a file, of which the last ones taken may be put back.

    Attributes:
        path: of the file.
        is_plain: whether the file is not compressed.
        offset: byte at which the next line begins.
        number: how many lines were taken since the beginning or the last :meth:`seek`.
        frame_offset: byte at which the current frame begins; ``None`` in a compressed file.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.offset = 0
        self.number = 0
        self.frame_offset: int | None = None
        self.is_plain = path.suffix.lower() not in _OPENERS
        self._file = file
        self._data = b""
        self._at = 0
        self._chunk = _SMALLEST_CHUNK

    def take(self, count: int) -> bytes:
        """The next lines in one piece; fewer at the end of the file."""
        end = self._end_of(count)
        while end is None:
            self._require_text()
            end = self._end_of(count) if self._fill() else len(self._data)
        piece = self._data[self._at : end]
        self._at = end
        self.offset += len(piece)
        self.number += _count_lines(piece)
        return piece

    def put_back(self, piece: bytes) -> None:
        """Undo the taking of the last lines."""
        self._data = piece + self._data[self._at :]
        self._at = 0
        self.offset -= len(piece)
        self.number -= _count_lines(piece)

    def _end_of(self, count: int) -> int | None:
        """Where the next ``count`` lines end; ``None`` if that has not been read yet."""
        data = self._data
        end = first = data.find(b"\n", self._at) + 1
        if count == 1:
            return end or None
        # Lines of equal length, as most files have them, need not be looked for one by one.
        guess = self._at + count * (first - self._at)
        if data[guess - 1 : guess] == b"\n" and data.count(b"\n", self._at, guess) == count:
            return guess
        for _ in range(count - 1):
            if not end:
                return None
            end = data.find(b"\n", end) + 1
        return end or None

    def _require_text(self) -> None:
        if len(self._data) - self._at > _LONGEST_LINE and b"\n" not in self._data[self._at :]:
            raise UserError(
                f"{self.path}: line {self.number + 1}: does not end within"
                f" {_LONGEST_LINE >> 20} MiB; this is no XYZ file: check the path in the config"
            )

    def _fill(self) -> bool:
        """Read on; false at the end of the file."""
        try:
            more = self._file.read(self._chunk)
        except _DAMAGED as error:
            raise UserError(
                f"{self.path}: cannot be read beyond line {self.number} ({error}); the file is"
                " incomplete or damaged: copy or make it again"
            ) from error
        self._data = self._data[self._at :] + more
        self._at = 0
        self._chunk = min(2 * self._chunk, _LARGEST_CHUNK)
        return bool(more)

    def seek(self, offset: int) -> None:
        """Go to a byte of the file."""
        self._file.seek(offset)
        self._data = b""
        self._at = 0
        self._chunk = _SMALLEST_CHUNK
        self.offset = offset
        self.number = 0


def _texts(
    lines: _Lines, wanted: Wanted, only: Container[int] | None
) -> Iterator[_Text | BadFrame]:
    index = 0
    was_bad = False
    while (count := _next_count(lines, was_bad)) is not None:
        if only is None or index in only:
            text = _read_text(lines, count, index, wanted)
            was_bad = isinstance(text, BadFrame)
            yield text
        else:
            lines.take(1)
            _skip_atoms(lines, count)
            was_bad = True  # for all we know
        index += 1


def _texts_at(
    lines: _Lines, places: Iterable[tuple[int, int]], wanted: Wanted
) -> Iterator[_Text | BadFrame]:
    for index, offset in places:
        lines.seek(offset)
        count = None
        with suppress(UserError):
            count = _next_count(lines)
        if count is None or lines.number > 1:
            raise _moved(lines.path, index)
        yield _read_text(lines, count, index, wanted)


def _next_count(lines: _Lines, skip: bool = False) -> int | None:
    """The number of atoms of the next frame; ``None`` at the end of the file.

    After a bad frame, lines that belong to none are skipped.
    """
    while line := lines.take(1):
        word = line.strip()
        if lines.offset == len(line):
            word = word.removeprefix(_BYTE_ORDER_MARK)
        if word.isdigit():
            lines.frame_offset = lines.offset - len(line) if lines.is_plain else None
            return int(word)
        if word and not skip:
            raise UserError(
                f"{lines.path}: line {lines.number}: a frame must begin with its number of atoms,"
                f" not with {_shown(word)}; correct the line, or the number of atoms of the frame"
                " before it"
            )
    return None


def _read_text(lines: _Lines, count: int, index: int, wanted: Wanted) -> _Text | BadFrame:
    """The rest of a frame whose number of atoms has been taken."""
    file, offset = str(lines.path), lines.frame_offset
    try:
        info, cell, pbc, layout = _read_header(lines.take(1), wanted)
    except BadContentError as error:
        _skip_atoms(lines, count)
        return bad_frame(error.kind, str(error), file, index, offset)
    first = lines.number + 1
    try:
        taken, length, layout = _take_atoms(lines, count, layout)
    except BadContentError as error:
        return bad_frame(error.kind, str(error), file, index, offset)
    return _Text(info, cell, pbc, layout, taken, length, count, file, index, offset, first)


def _read_header(
    line: bytes, wanted: Wanted
) -> tuple[dict[str, Any], np.ndarray, np.ndarray, Layout]:
    """Properties of the frame, cell, periodic directions and the meaning of the columns."""
    info = parse_comment(_decoded(line))
    layout = layout_of(info.pop("Properties", None), wanted)
    cell = _cell(info.pop("Lattice", None))
    pbc = _pbc(info.pop("pbc", None), cell is not None)
    return info, NO_CELL if cell is None else cell, pbc, layout


def _decoded(line: bytes) -> str:
    if not line:
        raise BadContentError(
            "unreadable", "the file ends after the number of atoms; remove the frame"
        )
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadContentError(
            "unreadable",
            f"the comment line is not UTF-8 text: {_shown(line.strip())}; convert the file,"
            " e.g. with iconv",
        ) from None


def _cell(lattice: Any) -> np.ndarray | None:
    if lattice is None:
        return None
    if isinstance(lattice, np.ndarray) and lattice.shape == (9,) and lattice.dtype.kind in "fi":
        return lattice.astype(np.float64).reshape(3, 3)
    raise BadContentError("cell", f"Lattice must be 9 numbers, not {_brief(lattice)}")


def _pbc(value: Any, has_cell: bool) -> np.ndarray:
    if value is None:
        return _PERIODIC[has_cell]
    if isinstance(value, np.ndarray) and value.dtype == np.bool_ and value.shape == (3,):
        return value
    array = np.asarray(value)
    if array.shape in ((), (3,)) and array.dtype.kind in "bi" and np.isin(array, (0, 1)).all():
        return np.full(3, array, dtype=bool)
    raise BadContentError(
        "cell", f'pbc must be three of T and F, e.g. "T T F", not {_brief(value)}'
    )


def _skip_atoms(lines: _Lines, count: int) -> None:
    for done in range(0, count, _LINES_AT_ONCE):
        asked = min(count - done, _LINES_AT_ONCE)
        try:
            _require_whole(lines, lines.take(asked), asked, done, count)
        except BadContentError:
            return


def _take_atoms(lines: _Lines, count: int, layout: Layout) -> tuple[bytes, int, Layout]:
    """The atoms' lines and their length; all of them are taken, whatever they hold."""
    first = lines.number + 1
    pieces: list[bytes] = []
    lengths: set[int] = set()
    problem = None
    for done in range(0, count, _LINES_AT_ONCE):
        asked = min(count - done, _LINES_AT_ONCE)
        piece = lines.take(asked)
        if layout.is_open:
            layout = widened(layout, len(piece.partition(b"\n")[0].split()))
        length = _line_length(piece, asked)
        # Lines of equal length are no other frame's, and wrong columns show when they are read.
        if not (layout.is_aligned and length) and not _are_rows(piece, asked, layout.width):
            _require_whole(lines, piece, asked, done, count)
            problem = problem or _wrong_width(piece, layout.width, first + done)
        pieces.append(piece)
        lengths.add(length)
    if problem:
        raise BadContentError("unreadable", problem)
    return b"".join(pieces), lengths.pop() if len(lengths) == 1 else 0, layout


def _line_length(text: bytes, count: int) -> int:
    """The length of each of the lines; 0 if they differ."""
    length = text.find(b"\n") + 1
    is_even = len(text) == count * length and text[length - 1 :: length or 1] == b"\n" * count
    return length if is_even else 0


def _are_rows(text: bytes, count: int, width: int) -> bool:
    """Whether the text is so many lines of so many words; false also where it is not obvious."""
    is_white = np.frombuffer(text, dtype=np.uint8) <= ord(" ")
    is_begin = np.empty(len(text), dtype=np.int32)
    is_begin[:1] = ~is_white[:1]
    np.greater(is_white[:-1], is_white[1:], out=is_begin[1:], casting="unsafe")
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
    if len(ends) != count or ends[-1] != len(text):
        return False
    words = np.add.reduceat(is_begin, np.append(0, ends[:-1]))
    return bool((words == width).all())


def _require_whole(lines: _Lines, piece: bytes, asked: int, done: int, count: int) -> None:
    """Raise if a frame has fewer atoms than it says; the next frame is left to be read."""
    found = piece.splitlines(keepends=True)
    for i, line in enumerate(found):
        if line.strip().isdigit():
            lines.put_back(b"".join(found[i:]))
            raise BadContentError(
                "unreadable", f"has {done + i} atoms where its first line says {count}"
            )
    if len(found) < asked:
        raise BadContentError(
            "unreadable",
            f"the file ends after {done + len(found)} of its {count} atoms; remove the frame",
        )


def _wrong_width(piece: bytes, width: int, first: int) -> str | None:
    for number, line in enumerate(piece.splitlines(), start=first):
        found = len(line.split())
        if found != width:
            return f"line {number} has {found} columns where {width} are needed"
    return None


def _count_lines(piece: bytes) -> int:
    return piece.count(b"\n") + (not piece.endswith(b"\n") and bool(piece))


def _read(texts: Iterator[_Text | BadFrame]) -> Iterator[RawBlock | BadFrame]:
    """Read the atoms of frames, of several together if their columns mean the same."""
    group: list[_Text] = []
    size = 0
    try:
        for text in texts:
            is_full = size >= MAX_ATOMS or len(group) == MAX_FRAMES
            if group and (is_full or not _go_together(group[0], text, size)):
                yield from _read_group(group)
                group, size = [], 0
            if isinstance(text, BadFrame):
                yield text
            else:
                group.append(text)
                size += text.count
    except UserError:
        yield from _read_group(group)
        raise
    yield from _read_group(group)


def _go_together(first: _Text, text: _Text | BadFrame, size: int) -> bool:
    """Whether a frame is to be read with others, of so many atoms in all."""
    if isinstance(text, BadFrame) or text.layout is not first.layout:
        return False
    return text.line_length == first.line_length or size < _FEW_ATOMS


def _read_group(group: list[_Text]) -> list[RawBlock | BadFrame]:
    """Read the atoms of frames whose columns mean the same."""
    if not group:
        return []
    try:
        return [_read_block(group)]
    except BadWordError as error:
        if len(group) > 1:
            half = len(group) // 2
            return _read_group(group[:half]) + _read_group(group[half:])
        (frame,) = group
        # A word too many in one line makes those of all others look wrong.
        problem = _wrong_width(frame.lines, frame.layout.width, frame.first_line)
        problem = problem or f"line {frame.first_line + error.atom}: {error}"
        return [bad_frame(error.kind, problem, frame.file, frame.index, frame.offset)]


def _read_block(group: list[_Text]) -> RawBlock:
    """Read the atoms of frames at once.

    Raises:
        BadWordError: if a word is not what its column holds.
    """
    lengths = {frame.line_length for frame in group}
    counts = [frame.count for frame in group]
    numbers, positions, columns = read_columns(
        b"".join([frame.lines for frame in group]),
        lengths.pop() if len(lengths) == 1 else 0,
        group[0].layout,
        sum(counts),
    )
    return RawBlock(
        n_atoms=counts,
        numbers=numbers,
        positions=positions,
        columns=columns,
        cells=[frame.cell for frame in group],
        pbcs=[frame.pbc for frame in group],
        infos=[frame.info for frame in group],
        file=group[0].file,
        indices=[frame.index for frame in group],
        offsets=[frame.offset for frame in group],
    )


def _brief(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, np.ndarray) else str(value)
    return repr(text[:40] + ("..." if len(text) > 40 else ""))


def _shown(text: bytes) -> str:
    try:
        return _brief(text.decode())
    except UnicodeDecodeError:
        return repr(text[:40])[1:]
