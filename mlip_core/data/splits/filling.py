"""How splits are filled with frames."""

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from mlip_core.data.findings import count_frames
from mlip_core.data.frame_index import FrameIndex, as_keys
from mlip_core.data.splits.config import ROUNDING, SPLITS, SplitConfig
from mlip_core.data.splits.split import Split
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed

# Validation and test first, so that more training frames leave them as they are.
_FILLED_IN_ORDER = ("test", "valid", "train")


def given_rows(
    index: FrameIndex, structures: np.ndarray, config: SplitConfig
) -> dict[str, np.ndarray]:
    """The rows of the splits that are given by files."""
    rows = {}
    for name, files in config.files.items():
        for file in files:
            if file not in index.files:
                raise UserError(
                    f"split: {name}: {file} is not a file of the dataset"
                    f" ({', '.join(index.files)}); add it to source.files"
                )
        numbers = [index.files.index(file) for file in files]
        rows[name] = structures[np.isin(index.file[structures], numbers)]
    return rows


def wanted_sizes(config: SplitConfig, n_frames: int) -> dict[str, int]:
    """How many of the frames each split gets, of those that are not given by files."""
    shares = {name: getattr(config, name) for name in SPLITS if name not in config.files}
    fractions = [name for name, share in shares.items() if isinstance(share, float)]
    total = math.fsum(shares[name] for name in fractions)
    sizes = {
        name: int(share * n_frames + ROUNDING) if name in fractions else share
        for name, share in shares.items()
    }
    for name, share in shares.items():
        if share and not sizes[name]:
            raise UserError(
                f"split: {name}: {share} of {n_frames} frames is none; give more frames"
            )
    if total > 1 - ROUNDING:  # A frame or two are left over, but all are to be used.
        sizes[fractions[0]] += n_frames - sum(sizes[name] for name in fractions)
    if sizes.get("train") == 0:
        raise UserError("split: the training set is empty; set train to at least 1")
    if sum(sizes.values()) > n_frames:
        wanted = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise UserError(
            f"split: too few frames: there are {n_frames}, the split needs {sum(sizes.values())}"
            f" ({wanted}); ask for fewer or give more frames"
        )
    return sizes


class _Units(NamedTuple):
    """What is assigned as a whole: a structure with its copies, or a group of frames.

    Attributes:
        rows: rows of the index, unit by unit.
        starts: ``[n_units + 1]``, where in ``rows`` a unit begins.
        ranks: ``[n_units]``, by which units are ordered.
        known: ``[n_units]``, number in ``SPLITS`` of the split where a unit was before, or -1.
    """

    rows: np.ndarray
    starts: np.ndarray
    ranks: np.ndarray
    known: np.ndarray


def _units(
    index: FrameIndex, pool: np.ndarray, config: SplitConfig, previous: Split | None
) -> _Units:
    keys = as_keys(index.digest[pool])
    ranks = _ranks(index.digest[pool], config.seed)
    labels = _group_numbers(index, config.group_by)
    _, first, unit, counts = np.unique(
        keys if labels is None else labels[pool],
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    known = np.full(len(counts), -1)
    is_new = np.ones(len(pool), dtype=bool)
    if previous is not None:
        for number, name in enumerate(SPLITS):
            was_here = np.isin(keys, as_keys(previous.digests[name]))
            known[unit[was_here]] = number
            is_new &= ~was_here
    order = np.lexsort((ranks, is_new, unit))
    unit_ranks = ranks[first]
    if labels is not None:
        names = [_group_name(index, config.group_by, row) for row in pool[first].tolist()]
        hashes = [list(sha256(name.encode()).digest()) for name in names]
        unit_ranks = _ranks(np.array(hashes, dtype=np.uint8).reshape(-1, 32), config.seed)
    return _Units(pool[order], np.concatenate([[0], np.cumsum(counts)]), unit_ranks, known)


def filled(
    index: FrameIndex,
    pool: np.ndarray,
    sizes: Mapping[str, int],
    config: SplitConfig,
    previous: Split | None,
) -> dict[str, np.ndarray]:
    """Rows of the splits that are given by numbers."""
    units = _units(index, pool, config, previous)
    unit_sizes = np.diff(units.starts)
    room = dict(sizes)
    if config.group_by is not None and "train" in room and sum(sizes.values()) == len(pool):
        room["train"] = len(pool)  # Groups that fit nowhere else: all frames are to be used.
    targets, taken = _assign(units, unit_sizes.tolist(), room, config.group_by is not None)
    rows = {}
    for number, name in enumerate(SPLITS):
        if name in sizes:
            mine = np.flatnonzero(targets == number)
            rows[name] = units.rows[_ranges(units.starts[mine], taken[mine])]
    _require_filled(rows, sizes, config.group_by, unit_sizes)
    return rows


def _assign(
    units: _Units, unit_sizes: list[int], sizes: Mapping[str, int], grouped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The number of its split (or -1), and how many of its frames are used, for each unit."""
    order = np.lexsort((units.ranks, units.known < 0)).tolist()
    known = units.known.tolist()
    room = {SPLITS.index(name): sizes[name] for name in _FILLED_IN_ORDER if name in sizes}
    targets, taken = np.full(len(order), -1), np.zeros(len(order), dtype=np.int64)
    for unit in order:
        size = unit_sizes[unit]
        target = known[unit]
        if target not in room:
            # A group goes where it fits as a whole; what fits nowhere is cut short for training.
            fits = (number for number, left in room.items() if left >= (size if grouped else 1))
            target = next(fits, SPLITS.index("train"))
        size = min(size, room.get(target, 0))
        if size:
            targets[unit], taken[unit] = target, size
            room[target] -= size
    return targets, taken


def _require_filled(
    rows: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    group_by: str | None,
    unit_sizes: np.ndarray,
) -> None:
    for name, size in sizes.items():
        found = len(rows[name])
        if group_by is None and found < size:
            raise UserError(
                f"split: too few different frames: {name} needs {size} and gets {found};"
                f" {unit_sizes.sum()} frames hold {len(unit_sizes)} different structures;"
                " ask for fewer or give more frames"
            )
        if size and not found:
            raise UserError(
                f"split: {name}: no group of {group_by} fits into {count_frames(size)}; there are"
                f" {len(unit_sizes)} groups of {unit_sizes.min()} to {unit_sizes.max()} frames;"
                " ask for more frames, or give the split by files"
            )


def _group_numbers(index: FrameIndex, group_by: str | None) -> np.ndarray | None:
    if group_by is None:
        return None
    return {"composition": index.composition, "file": index.file}.get(group_by, index.group)


def _group_name(index: FrameIndex, group_by: str | None, row: int) -> str:
    if group_by == "composition":
        return index.formula(index.composition[row])
    if group_by == "file":
        return index.files[index.file[row]]
    return index.groups[index.group[row]]


def ordered(
    index: FrameIndex, name: str, rows: np.ndarray, seed: int, previous: Split | None
) -> np.ndarray:
    """The order of a split's frames, see :class:`Split`; those it had stand as they did."""
    if name != "train":
        return np.sort(rows)
    digests = index.digest[rows]
    known = digests[:0] if previous is None else previous.digests[name]
    places = _places(as_keys(digests), as_keys(known))
    return rows[np.lexsort((rows, _ranks(digests, seed), places))]


def _places(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``[n]``, where each key first stands among those known, or behind all of them."""
    if not len(known):
        return np.zeros(len(keys), dtype=np.int64)
    different, first = np.unique(known, return_index=True)
    found = np.searchsorted(different, keys).clip(max=len(different) - 1)
    return np.where(different[found] == keys, first[found], len(known))


def _ranks(digests: np.ndarray, seed: int) -> np.ndarray:
    """``[n]`` numbers that are random but follow from the digests ``[n, 32]`` and the seed.

    The mixing function is that of SplitMix64 (Steele, Lea & Flood 2014,
    doi:10.1145/2660193.2660195).
    """
    z = np.ascontiguousarray(digests[:, :8]).view("<u8").reshape(-1).astype(np.uint64)
    z ^= np.uint64(derive_seed(seed, "split"))
    z += np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``start, start + 1, …`` of each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
