"""Structures from files, as commands take them."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlip_core.utils.errors import UserError

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_core.data.frames import Frame, LabelKeys


def iterate_structures(paths: Iterable[Path], labels: "LabelKeys") -> "Iterator[Frame]":
    """The structures of several files, one file after the other, with whatever labels they have."""
    from mlip_core.data.frames import iterate_frames

    return chain.from_iterable(iterate_frames(path, labels, require=()) for path in paths)


def read_structure(path: Path, frame: int) -> "Atoms":
    """One structure of a file, without labels.

    Args:
        path: of the file.
        frame: its number, from 0; a negative one counts from the end.

    Raises:
        UserError: if there is no such file or structure.
    """
    from mlip_core.data.frames import iterate_frames

    frames = iterate_frames(path, require=())
    if frame >= 0:
        found = next(islice(frames, frame, None), None)
    else:
        last = deque(frames, maxlen=-frame)
        found = last[0] if len(last) == -frame else None
    if found is None:
        raise UserError(f"{path}: has no frame {frame}; choose another one with --frame")
    atoms = found.atoms
    atoms.info.clear()
    return atoms


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name in front of messages that do not know it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
