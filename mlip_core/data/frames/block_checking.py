"""From what a file says of many frames to frames in our units, all looked at together.

Whatever is not as it is in nearly all frames is left to the checks of single frames.
"""

from collections.abc import Iterable

import numpy as np

from mlip_core.data.frames.block import FrameBlock, in_blocks
from mlip_core.data.frames.checking import FLAT, checked_frame, require_cell
from mlip_core.data.frames.frame import BadFrame
from mlip_core.data.frames.labels import LabelTable
from mlip_core.data.frames.raw import BadContentError, RawBlock


def checked_block(raw: RawBlock, labels: LabelTable) -> Iterable[FrameBlock | BadFrame]:
    """The frames with their labels in our units, or what is wrong with them."""
    block = _ordinary_block(raw, labels)
    if block is not None:
        return [block]
    return in_blocks(checked_frame(frame, labels) for frame in raw.frames())


def _ordinary_block(raw: RawBlock, labels: LabelTable) -> FrameBlock | None:
    """All frames; ``None`` if one is bad or unusual."""
    n_atoms = np.array(raw.n_atoms)
    pbc = np.concatenate(raw.pbcs).reshape(-1, 3)
    cells = np.concatenate(raw.cells).reshape(-1, 3, 3)
    is_periodic = np.asarray(pbc.any(axis=1))
    if not (n_atoms.all() and _are_sound(raw) and _are_cells(cells, pbc)):
        return None
    energy = _energies(raw, labels)
    forces = _forces(raw, labels, np.repeat((n_atoms == 1) & ~is_periodic, n_atoms))
    stress = _stresses(raw, labels)
    if energy is None or forces is None or stress is None:
        return None
    values = {"energy": energy, "forces": forces, "stress": stress}
    if any(np.isnan(values[name]).any() for name in labels.require):
        return None
    wanted = labels.wanted
    return FrameBlock(
        file=raw.file,
        index=raw.indices,
        offset=raw.offsets,
        info=[{k: v for k, v in info.items() if k not in wanted} for info in raw.infos],
        n_atoms=n_atoms,
        numbers=raw.numbers,
        positions=_scaled(raw.positions, labels.length),
        cells=_scaled(np.where(is_periodic[:, None, None], cells, 0.0), labels.length),
        pbc=pbc,
        **values,
    )


def _are_sound(raw: RawBlock) -> bool:
    numbers = raw.numbers
    return bool(numbers.min() > 0 and numbers.max() < 119 and np.isfinite(raw.positions).all())


def _are_cells(cells: np.ndarray, pbc: np.ndarray) -> bool:
    """Whether the cell vectors of periodic directions are finite and independent."""
    is_full = pbc.all(axis=1)
    full = cells[is_full]
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.square(full).sum(axis=2)).prod(axis=1)
        # Near the limit the check of the single frame decides.
        if not (np.isfinite(lengths) & (np.abs(np.linalg.det(full)) > 2 * FLAT * lengths)).all():
            return False
    try:
        for row in np.flatnonzero(pbc.any(axis=1) & ~is_full).tolist():
            require_cell(cells[row, pbc[row]].tolist())
    except BadContentError:
        return False
    return True


def _energies(raw: RawBlock, labels: LabelTable) -> np.ndarray | None:
    key = labels.keys["energy"]
    values = [info.get(key) for info in raw.infos]
    kinds = set(map(type, values))
    if kinds == {type(None)} and raw.columns.get(key) is None:
        return np.full(len(values), np.nan)
    if kinds != {float}:
        return None
    energies = np.array(values) * labels.factors["energy"]
    return energies if np.isfinite(energies).all() else None


def _forces(raw: RawBlock, labels: LabelTable, are_free: np.ndarray) -> np.ndarray | None:
    """The forces, of free atoms zeros where the file has none.

    Args:
        raw: the frames.
        labels: where the forces are.
        are_free: ``[n_atoms]``, which atoms are not bound to anything.

    Returns:
        ``[n_atoms, 3]``, eV/Å, or ``None`` if something is unusual.
    """
    key = labels.keys["forces"]
    if any(key in info for info in raw.infos):
        return None
    column = raw.columns.get(key)
    if column is None:
        return np.where(are_free[:, None], 0.0, np.full(raw.positions.shape, np.nan))
    if column.dtype != np.float64 or column.shape != raw.positions.shape:
        return None
    return _scaled(column, labels.factors["forces"]) if np.isfinite(column).all() else None


def _stresses(raw: RawBlock, labels: LabelTable) -> np.ndarray | None:
    key = labels.keys["stress"]
    values = [info.get(key) for info in raw.infos]
    if all(value is None for value in values) and raw.columns.get(key) is None:
        return np.full((len(values), 3, 3), np.nan)
    if labels.is_virial or not all(
        isinstance(v, np.ndarray) and v.shape == (3, 3) and v.dtype == np.float64 for v in values
    ):
        return None
    stress = np.array(values)
    is_symmetric = bool((stress == stress.swapaxes(1, 2)).all())
    is_plain = is_symmetric and np.isfinite(stress).all()
    return _scaled(stress, labels.factors["stress"]) if is_plain else None


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return values if factor == 1 else values * factor
