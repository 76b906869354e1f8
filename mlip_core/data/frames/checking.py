"""From what a file says to a frame in our units, or to a precise complaint."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_core.data.frames.frame import BadFrame, Frame
from mlip_core.data.frames.labels import LabelKeys, LabelTable
from mlip_core.data.frames.raw import NO_CELL, BadContentError, RawFrame, bad_frame
from mlip_core.utils.errors import UserError

if TYPE_CHECKING:
    import ase

# Vectors whose normalised volume (area, length) is below this span no cell.
FLAT = 1e-9
_KNOWN_ELEMENTS = frozenset(range(1, 119))


def frame_from_atoms(
    atoms: "ase.Atoms",
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    file: str = "<memory>",
    index: int = 0,
) -> Frame:
    """Take the labels out of ``atoms`` and its calculator's results, and check them.

    Raises:
        UserError: see :func:`read_frames`.
    """
    frame = checked_frame(
        raw_from_atoms(atoms, file, index), (labels or LabelKeys()).table(require)
    )
    if isinstance(frame, BadFrame):
        raise UserError(frame.message)
    return frame


def raw_from_atoms(atoms: "ase.Atoms", file: str, index: int) -> RawFrame:
    """What ASE read; what the file said explicitly goes before what ASE made into results."""
    arrays = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    return RawFrame(
        numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
        info=atoms.info,
        columns=getattr(atoms.calc, "results", {}) | arrays,
        file=file,
        index=index,
    )


def checked_frame(raw: RawFrame, labels: LabelTable) -> Frame | BadFrame:
    """The frame with its labels in our units, or what is wrong with it."""
    try:
        return _frame(raw, labels)
    except BadContentError as error:
        return bad_frame(error.kind, str(error), raw.file, raw.index, raw.offset)


def _frame(raw: RawFrame, labels: LabelTable) -> Frame:
    _check_structure(raw)
    vectors = [vector for vector, p in zip(raw.cell.tolist(), raw.pbc.tolist(), strict=True) if p]
    periodic = bool(vectors)
    if periodic:
        require_cell(vectors)
    values = {name: _label(raw, name, key, labels) for name, key in labels.keys.items()}
    if values["forces"] is None and len(raw.numbers) == 1 and not periodic:
        values["forces"] = np.zeros((1, 3))  # a free atom feels none, and few files say so
    for name in labels.require:
        if values[name] is None:
            raise BadContentError("missing label", _missing(raw, name, labels.keys[name]))
    length = labels.length
    return Frame(
        numbers=raw.numbers,
        positions=_scaled(raw.positions, length),
        cell=_scaled(raw.cell, length) if periodic else NO_CELL,
        pbc=raw.pbc,
        info={key: value for key, value in raw.info.items() if key not in labels.wanted},
        file=raw.file,
        index=raw.index,
        offset=raw.offset,
        **values,
    )


def _check_structure(raw: RawFrame) -> None:
    if len(raw.numbers) == 0:
        raise BadContentError("no atoms", "has no atoms; remove the frame")
    if not _KNOWN_ELEMENTS.issuperset(raw.numbers.tolist()):
        raise BadContentError(
            "unknown element", "has an atom of unknown element; correct its symbol"
        )
    if not _is_finite(raw.positions):
        raise BadContentError(
            "not finite", "a position is not finite (NaN or infinite); remove the frame"
        )


def require_cell(vectors: list[list[float]]) -> None:
    """Raise ``BadContentError`` unless the vectors of the periodic directions span a cell."""
    if not all(math.isfinite(x) for vector in vectors for x in vector):
        raise BadContentError(
            "not finite", "the cell is not finite (NaN or infinite); remove the frame"
        )
    if _normalised_volume(vectors) < FLAT:
        raise BadContentError(
            "cell",
            "is periodic but its cell vectors are zero or not independent;"
            ' give a Lattice, or say pbc="F F F" if it is a molecule',
        )


def _normalised_volume(vectors: list[list[float]]) -> float:
    """Volume, area or length spanned by one to three vectors, over the product of their lengths."""
    lengths = [math.hypot(*vector) for vector in vectors]
    if min(lengths) == 0:
        return 0.0
    if len(vectors) == 1:
        return 1.0
    (ax, ay, az), (bx, by, bz) = vectors[:2]
    normal = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    spanned = math.hypot(*normal) if len(vectors) == 2 else abs(_dot(normal, vectors[2]))
    return spanned / math.prod(lengths)


def _label(raw: RawFrame, name: str, key: str, labels: LabelTable) -> Any:
    """A label in our units; ``None`` if it is missing."""
    value = raw.info.get(key)
    if value is None:
        value = raw.columns.get(key)
    if value is None:
        return None
    factor = labels.factors[name]
    if name == "energy" and type(value) is float and math.isfinite(value):
        return value * factor
    array = _shaped(_numbers(value, name, key), name, key, len(raw.numbers))
    if not _is_finite(array):
        raise BadContentError(
            "not finite",
            f'{name} under key "{key}" is not finite (NaN or infinite);'
            " remove the frame or compute it again",
        )
    if name == "stress" and labels.is_virial:
        factor /= _volume(raw, key) * labels.length**3
    return float(array) * factor if name == "energy" else _scaled(array, factor)


def _numbers(value: Any, name: str, key: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype == np.float64:
        return array
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    what = f"is not a number: {value!r}" if array.ndim == 0 else "holds something else than numbers"
    raise BadContentError("label", f'{name} under key "{key}" {what}')


def _scaled(array: np.ndarray, factor: float) -> np.ndarray:
    return array if factor == 1 else array * factor


def _volume(raw: RawFrame, key: str) -> float:
    if not raw.pbc.all():
        raise BadContentError(
            "label",
            f'virial under key "{key}", but the frame is not periodic in all directions and so'
            " has no volume to divide it by; remove the virial",
        )
    return abs(float(np.linalg.det(raw.cell)))


def _shaped(array: np.ndarray, name: str, key: str, n_atoms: int) -> np.ndarray:
    if name == "energy" and array.size == 1:
        return array.reshape(())
    if name == "forces" and array.shape == (n_atoms, 3):
        return array
    if name == "stress" and array.shape in ((3, 3), (9,)):
        return _symmetric(array.reshape(3, 3), key)
    if name == "stress" and array.shape == (6,):
        xx, yy, zz, yz, xz, xy = array.tolist()
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    expected = {"energy": "one number", "forces": f"shape ({n_atoms}, 3)"}.get(
        name, "shape (3, 3), 9 numbers or 6 in Voigt's order"
    )
    raise BadContentError(
        "label", f'{name} under key "{key}" has shape {array.shape} where {expected} is needed'
    )


def _symmetric(stress: np.ndarray, key: str) -> np.ndarray:
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = stress.tolist()
    asymmetry = max(abs(xy - yx), abs(xz - zx), abs(yz - zy))
    if asymmetry > 1e-3 * max(map(abs, (xx, yy, zz, xy, xz, yz))) + 1e-8:
        raise BadContentError(
            "label", f'stress under key "{key}" is not symmetric; check what the key holds'
        )
    return stress if asymmetry == 0 else (stress + stress.T) / 2


def _missing(raw: RawFrame, name: str, key: str) -> str:
    present = list(dict.fromkeys([*raw.info, *raw.columns]))
    there = "the keys there are " + ", ".join(present) if present else "there are no other keys"
    return (
        f'no {name} under key "{key}"; {there}; set {name}_key to the right one,'
        f" or remove frames without {name}"
    )


def _is_finite(values: np.ndarray) -> bool:
    # The sum of squares is quick, and finite unless a number is not or is astronomic.
    flat = values.reshape(-1)
    with np.errstate(over="ignore"):
        return math.isfinite(flat @ flat) or bool(np.isfinite(flat).all())


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
