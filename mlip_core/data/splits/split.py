"""Which frame is in which split, and its files."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, NonNegativeInt

from mlip_core.data.findings import Finding
from mlip_core.data.splits.config import SPLITS
from mlip_core.data.versioned_arrays import ArraysFormat
from mlip_core.data.versioned_json import JsonFormat
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, file_digest, write_json

_REMEDY = "remove it and make the split again"


class _Sizes(BaseModel):
    train: NonNegativeInt
    valid: NonNegativeInt
    test: NonNegativeInt
    unused: NonNegativeInt


class _Content(BaseModel):
    settings: dict[str, Any]
    sizes: _Sizes
    findings: list[Finding]
    frames_sha256: str


_SPLIT = JsonFormat("mlip_core split", 2, "split file", _REMEDY, _Content)
_ROWS = ArraysFormat("mlip_core split frames", 1, "list of a split's frames", "it is needed")


@dataclass(frozen=True, eq=False)
class Split:
    """Which frames of an index are in which split.

    Attributes:
        settings: what it was made with.
        rows: rows of the index, by split. Those for training stand in an order that depends on the
            structures and the seed alone, so the first of them are a random sample; the others
            stand as in the files.
        digests: ``[n, 32]``, the hash of each structure, by split.
        unused: how many structures are in none.
        findings: what is wrong with it.
    """

    settings: dict[str, Any]
    rows: dict[str, np.ndarray]
    digests: dict[str, np.ndarray]
    unused: int
    findings: list[Finding]


def write_split(path: str | os.PathLike[str], split: Split) -> None:
    """Write a split as readable JSON and, beside it, its frames as safetensors.

    An older one of other frames is kept beside it as ``<name>-<hash>``.

    Raises:
        UserError: as :func:`load_previous_split`.
    """
    path = Path(path)
    previous = load_previous_split(path)
    if previous is not None and not _same_frames(previous, split):
        _keep(path)
    arrays = {f"{name}_rows": split.rows[name] for name in SPLITS}
    arrays |= {f"{name}_digests": split.digests[name] for name in SPLITS}
    _ROWS.write(_frames_path(path), {}, arrays)
    content = {
        **_SPLIT.header,
        "settings": split.settings,
        "sizes": {**{name: len(split.rows[name]) for name in SPLITS}, "unused": split.unused},
        "findings": [asdict(finding) for finding in split.findings],
        "frames_sha256": file_digest(_frames_path(path)),
    }
    write_json(path, content)


def load_split(path: str | os.PathLike[str]) -> Split:
    """What :func:`make_split` returned, from a file.

    Raises:
        UserError: if a file is missing, damaged or something else.
    """
    path = Path(path)
    content = _SPLIT.read(path)
    try:
        _, arrays = _ROWS.read(_frames_path(path))
    except UserError as error:
        raise UserError(f"{error}: remove {path} and make the split again") from None
    if file_digest(_frames_path(path)) != content["frames_sha256"]:
        raise UserError(
            f"{_frames_path(path)}: does not belong to {path}; remove {path} and make the split"
            " again"
        )
    return Split(
        settings=content["settings"],
        rows={name: arrays[f"{name}_rows"] for name in SPLITS},
        digests={name: arrays[f"{name}_digests"] for name in SPLITS},
        unused=content["sizes"]["unused"],
        findings=[Finding(**finding) for finding in content["findings"]],
    )


def load_previous_split(path: str | os.PathLike[str]) -> Split | None:
    """The split that :func:`write_split` will replace; ``None`` if there is none.

    A process that was killed while it replaced a split has left the list of the new frames beside
    the old file: then the old split is what had been kept of it before.

    Raises:
        UserError: see :func:`load_split`.
    """
    path = Path(path)
    if not path.exists():
        return None
    kept = _kept_path(path)
    return load_split(kept if kept.exists() else path)


def read_split(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Rows of the index of the frames of "train", "valid" and "test"; see :func:`load_split`."""
    return load_split(path).rows


def split_size(path: str | os.PathLike[str], name: str) -> int:
    """Number of frames of a split, from the small file alone."""
    return _SPLIT.read(path)["sizes"][name]


def _frames_path(path: Path) -> Path:
    return path.with_suffix(".safetensors")


def _same_frames(one: Split, other: Split) -> bool:
    return one.settings == other.settings and all(
        np.array_equal(one.digests[name], other.digests[name])
        and np.array_equal(one.rows[name], other.rows[name])
        for name in SPLITS
    )


def _keep(path: Path) -> None:
    """Copy a split's files to names of their own, once; that by which they are found comes last."""
    kept = _kept_path(path)
    if not kept.exists():
        _copy(_frames_path(path), _frames_path(kept))
        _copy(path, kept)


def _kept_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}-{file_digest(path)[:8]}{path.suffix}")


def _copy(file: Path, to: Path) -> None:
    with atomic_path(to) as temporary:
        shutil.copyfile(file, temporary)
