"""The model zip as a file, read without trust and without JAX.

``hyperparams.json`` holds ``dataset_info``, ``config`` and ``predict_stress`` (and, written by this
library, ``architecture``); ``params.npz`` the parameters as plain arrays, their paths joined by
``#``. It is the format of the ``mlip`` 0.1 series. Nothing in it is ever executed or unpickled, and
what it claims is compared with its size before memory is spent on it.
"""

import math
import os
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.models.registry import architectures
from mlip_core.utils.errors import UserError

HYPERPARAMETERS = "hyperparams.json"
PARAMETERS = "params.npz"
SEPARATOR = "#"

# Weights look like noise and do not compress: what unpacks to more than this was made to fill
# memory. Two levels of zip share the one allowance.
_LARGEST_RATIO = 10
_SMALL_BYTES = 1 << 20
_LARGEST_BYTES = (1 << 31) - 1
_LARGEST_HYPERPARAMETERS = 1 << 20
_LARGEST_DIRECTORY = 4 << 20
_LONGEST_END = (1 << 16) + 22 + 20 + 56  # of a zip: a comment and three records

# What `numpy.save` writes before plain numbers; objects, records and text do not match.
_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>]f[48])', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
_LARGEST_HEADER = 4096

# Beyond these a network takes hours or all memory to build; nobody trains such models.
_LARGEST_HYPERPARAMETER = {
    "correlation": 6,
    "l_max": 8,
    "node_symmetry": 8,
    "num_layers": 64,
    "num_readout_heads": 64,
    "num_species": 256,
    "radial_net_n_layers": 64,
}
_LARGEST_NUMBER = 1 << 20
_LARGEST_PRODUCT = 1 << 20
_IRREP = re.compile(r"(?:(\d+)x)?(\d+)[eo]")

# What Python's readers of zips raise on damaged ones, beside BadZipFile.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Hyperparameters(BaseModel):
    """The content of ``hyperparams.json``.

    Attributes:
        dataset_info: what the network knows of its dataset.
        config: of the network.
        predict_stress: whether the model predicts stress by itself.
        architecture: name of the network; ``None`` in zips of other libraries.
    """

    dataset_info: DatasetInfo
    config: dict[str, Any]
    predict_stress: bool = False
    architecture: str | None = None


@dataclass(frozen=True)
class ArrayInfo:
    """What the header of an array says.

    Attributes:
        shape: its shape.
        dtype: float32 or float64.
        is_fortran: whether the first index runs fastest.
        offset: bytes before the numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    offset: int

    @property
    def n_numbers(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """How many bytes its numbers take."""
        return self.n_numbers * self.dtype.itemsize


class ModelZip:
    """An open model zip; made by :func:`open_model_zip`.

    Attributes:
        path: of the file, for messages.
        hyperparameters: what the network is made from.
        arrays: what the headers of the parameters say, by the names in the file.
    """

    def __init__(self, path: Path, hyperparameters: Hyperparameters, params: zipfile.ZipFile):
        self.path = path
        self.hyperparameters = hyperparameters
        self._params = params
        self.arrays = self._headers()

    @cached_property
    def architecture(self) -> str:
        """Name of the network, which zips of other libraries tell by their parameters' names.

        Raises:
            UserError: if this program has no such network.
        """
        name = self.hyperparameters.architecture
        if name is None:
            blocks = {part.lower() for array in self.arrays for part in array.split(SEPARATOR)[:3]}
            name = next((name for name in architectures() if f"{name}block_0" in blocks), "unknown")
        if name not in architectures():
            raise UserError(
                f"{self.path}: architecture {_shown(name)} is not one of {architectures()}"
            )
        return name

    def read(self, name: str) -> np.ndarray:
        """One array.

        Raises:
            UserError: if its numbers are damaged.
        """
        info = self.arrays[name]
        with _explained(self.path, PARAMETERS), self._params.open(f"{name}.npy") as stream:
            stream.read(info.offset)
            content = stream.read(info.n_bytes)
        numbers = np.frombuffer(content, info.dtype)
        if info.is_fortran:
            return numbers.reshape(info.shape[::-1]).T
        return numbers.reshape(info.shape)

    def _headers(self) -> dict[str, ArrayInfo]:
        arrays = {}
        for entry in self._params.infolist():
            name = entry.filename.removesuffix(".npy")
            with _explained(self.path, PARAMETERS), self._params.open(entry) as stream:
                info = _read_header(stream)
            if info is None:
                raise UserError(
                    f"{self.path}: parameter {_shown(name)} is not a plain array of float32 or"
                    " float64; refused, as what else it may hold could execute code"
                )
            if entry.file_size != info.offset + info.n_bytes:
                raise UserError(
                    f"{self.path}: parameter {_shown(name)} claims the shape {info.shape}, but"
                    f" holds {entry.file_size - info.offset} bytes; the file is damaged"
                )
            arrays[name] = info
        return arrays


@contextmanager
def open_model_zip(path: str | os.PathLike[str]) -> Iterator[ModelZip]:
    """Open a model zip and check all of it but the parameters' numbers.

    Raises:
        UserError: if the file is not a model zip that this program reads: something else, damaged,
            of another format, or made to harm.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a model zip")
    allowance = min(_LARGEST_BYTES, max(_SMALL_BYTES, _LARGEST_RATIO * path.stat().st_size))
    with open(path, "rb") as file, _opened(file, path, allowance) as archive:
        _require_members(archive, path)
        with _explained(path, path.name):
            hyperparameters = _hyperparameters(archive, path)
            content = BytesIO(_content(archive, PARAMETERS))
        with _opened(content, path, allowance, PARAMETERS) as params:
            yield ModelZip(path, hyperparameters, params)


@contextmanager
def _opened(
    file: IO[bytes], path: Path, allowance: int, member: str | None = None
) -> Iterator[zipfile.ZipFile]:
    """A zip whose entries are not encrypted, packed in a common way, and claim to be small."""
    what = member or path.name
    with _explained(path, what):
        _require_short_directory(file)
        archive = zipfile.ZipFile(file)
    with archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > allowance:
            raise UserError(
                f"{path}: {what} claims to unpack to far more than its size, as no model does;"
                " refused"
            )
        for entry in entries:
            if entry.flag_bits & 1 or entry.compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise UserError(
                    f"{path}: {_shown(entry.filename)} is encrypted or packed in a way that no"
                    " model zip uses; pack it again without"
                )
        twice = [name for name, n in Counter(e.filename for e in entries).items() if n > 1]
        if twice:
            raise UserError(f"{path}: holds {_shown(twice[0])} twice; which one counts is unclear")
        yield archive


def _require_short_directory(file: IO[bytes]) -> None:
    """Raise unless the list of entries is short: ``zipfile`` reads all of it into memory.

    Its length stands in the last record of the file, or in that of the ZIP64 extension before it.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_END))
    tail = file.read()
    place = len(tail) - 22
    if tail[max(0, place) :][:4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        place = tail.rfind(b"PK\5\6")
    if place < 0:
        raise zipfile.BadZipFile("it has no end of a zip")
    length = tail[place + 12 : place + 16]
    if place >= 76 and tail[place - 20 :].startswith(b"PK\6\7"):
        length = tail[place - 36 : place - 28]
    if int.from_bytes(length, "little") > _LARGEST_DIRECTORY:
        raise zipfile.BadZipFile("its list of entries is too long for a model")


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry, of which no more is unpacked than it claims to hold (``archive.read`` may)."""
    entry = archive.getinfo(name)
    with archive.open(entry) as stream:
        return stream.read(entry.file_size)


def _require_members(archive: zipfile.ZipFile, path: Path) -> None:
    names = archive.namelist()
    if set(names) == {HYPERPARAMETERS, PARAMETERS}:
        if archive.getinfo(HYPERPARAMETERS).file_size > _LARGEST_HYPERPARAMETERS:
            raise UserError(f"{path}: {HYPERPARAMETERS} claims to be larger than 1 MiB; refused")
        return
    if any(name.split("/")[-1] == "data.pkl" for name in names):
        raise UserError(
            f"{path}: a PyTorch file, whose pickled code is not run; train the model anew, or use"
            " it as a reference calculator through its own library"
        )
    shown = ", ".join(map(_shown, sorted(names)[:3])) + (", …" if names[3:] else "")
    raise UserError(
        f"{path}: not a model zip: it holds {shown or 'nothing'} instead of {HYPERPARAMETERS} and"
        f" {PARAMETERS}"
    )


def _hyperparameters(archive: zipfile.ZipFile, path: Path) -> Hyperparameters:
    content = _content(archive, HYPERPARAMETERS)
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise UserError(f"{path}: {HYPERPARAMETERS} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: {HYPERPARAMETERS} is not a mapping of keys")
    if value.get("version") is not None:
        raise UserError(
            f"{path}: written by version {_shown(value['version'])} of the mlip library, whose"
            " networks are others; only zips of its 0.1 series and of mlip-core can be read: save"
            " or train the model with one of these"
        )
    try:
        hyperparameters = Hyperparameters.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{path}: {HYPERPARAMETERS}: {first_problem(error)}") from None
    _require_usable_info(hyperparameters.dataset_info, path)
    _require_modest(hyperparameters.config, path)
    return hyperparameters


def first_problem(error: ValidationError) -> str:
    """What is wrong with a model's hyperparameters, in a few words."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{_shown(key)}: {first['msg']}" if key else first["msg"]


def _require_usable_info(info: DatasetInfo, path: Path) -> None:
    positive = {
        "cutoff_distance_angstrom": info.cutoff_distance_angstrom,
        "avg_num_neighbors": info.avg_num_neighbors,
        "avg_r_min_angstrom": 1.0 if info.avg_r_min_angstrom is None else info.avg_r_min_angstrom,
        "scaling_stdev": info.scaling_stdev,
    }
    wrong = [name for name, value in positive.items() if not 0 < value < math.inf]
    if not info.atomic_energies_map:
        wrong.append("atomic_energies_map")
    if not math.isfinite(info.scaling_mean):
        wrong.append("scaling_mean")
    if wrong:
        raise UserError(
            f"{path}: dataset_info.{wrong[0]} is not a usable number; make the zip anew"
        )


def _require_modest(config: Mapping[str, Any], path: Path) -> None:
    """Raise if the network would be too large to build, whatever its parameters."""
    for key, number in _numbers(config):
        if number > _LARGEST_HYPERPARAMETER.get(key, _LARGEST_NUMBER):
            raise UserError(f"{path}: config.{_shown(key)} is too large ({number:.3g}); refused")
    l_max, order = (config.get(key, 0) for key in ("l_max", "correlation"))
    are_numbers = isinstance(l_max, int) and isinstance(order, int)
    if are_numbers and abs(l_max + 1) ** (2 * max(order, 0)) > _LARGEST_PRODUCT:
        raise UserError(f"{path}: config.l_max and config.correlation are too large; refused")


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """All numbers of a config by their keys; those of irreps as multiplicity and degree."""
    for key, value in config.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int | float):
                yield key, item
            elif isinstance(item, str):
                for multiplicity, degree in _IRREP.findall(item[:_LARGEST_HEADER]):
                    yield key, float(multiplicity or 1)
                    yield "l_max", float(degree)


def _read_header(stream: IO[bytes]) -> ArrayInfo | None:
    """The header of an ``.npy`` file; ``None`` if it has anything but plain numbers."""
    start = stream.read(8)
    n_bytes = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4}.get(start)
    if n_bytes is None:
        return None
    length = int.from_bytes(stream.read(n_bytes), "little")
    if length > _LARGEST_HEADER:
        return None
    match = _HEADER.fullmatch(stream.read(length))
    if match is None:
        return None
    return ArrayInfo(
        shape=tuple(int(number) for number in re.findall(rb"\d+", match["shape"])),
        dtype=np.dtype(match["dtype"].decode()),
        is_fortran=match["fortran"] == b"True",
        offset=8 + n_bytes + length,
    )


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: {what} is damaged or not a zip file ({reason})") from None


def _shown(text: object) -> str:
    """Text out of a file as it can be printed: short, on one line, without control characters."""
    shown = ascii(str(text))
    return shown if len(shown) <= 80 else f"{shown[:76]}...'"
