"""What can be wrong with a split."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.findings import Finding, count_frames
from mlip_core.data.frame_index import FrameIndex, as_keys
from mlip_core.data.splits.config import SPLITS, SplitConfig

_LISTED_FRAMES = 10


Rows = Mapping[str, np.ndarray]


def check_split(
    index: FrameIndex, rows: Rows, config: SplitConfig
) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """Look for structures that stand in two splits, and elements that only some splits have.

    Returns:
        The rows of the index by split, without those that are to be dropped, and what was found.
    """
    kept = dict(rows)
    findings = []
    for check, action in ((_leakage, config.leakage), (_unseen_elements, config.unseen_elements)):
        suspects = check(index, kept)
        flagged = np.concatenate([kept[name][mask] for name, mask in suspects.masks.items()])
        if action == "ignore" or not len(flagged):
            continue
        places = index.places(np.sort(flagged)[:_LISTED_FRAMES].tolist())
        findings.append(
            Finding(suspects.check, action, suspects.message, suspects.remedy, len(flagged), places)
        )
        if action == "drop":
            kept |= {name: kept[name][~mask] for name, mask in suspects.masks.items()}
    return kept, findings


class _Suspects(NamedTuple):
    """Frames of splits in which something is wrong: which of each split's rows."""

    check: str
    message: str
    remedy: str
    masks: dict[str, np.ndarray]


def _leakage(index: FrameIndex, rows: Rows) -> _Suspects:
    keys = {name: as_keys(index.digest[rows[name]]) for name in SPLITS}
    masks = {
        "valid": np.isin(keys["valid"], keys["test"]),
        "train": np.isin(keys["train"], np.concatenate([keys["valid"], keys["test"]])),
    }
    return _Suspects(
        "leakage",
        f"{_listed(masks)} stand in a later split as well, so its errors will look too small",
        "set split.leakage to drop, or remove the copies",
        masks,
    )


def _unseen_elements(index: FrameIndex, rows: Rows) -> _Suspects:
    present = index.compositions > 0
    unseen = present[np.unique(index.composition[rows["train"]])].sum(axis=0) == 0
    foreign = present @ unseen
    masks = {name: foreign[index.composition[rows[name]]] for name in ("valid", "test")}
    flagged = np.concatenate([index.composition[rows[n]][mask] for n, mask in masks.items()])
    elements = np.flatnonzero((present[np.unique(flagged)].sum(axis=0) > 0) & unseen)
    return _Suspects(
        "unseen elements",
        f"{_listed(masks)} have elements that no training frame has"
        f" ({', '.join(chemical_symbols[z] for z in elements)})",
        "give training frames with them, or set split.unseen_elements to drop",
        masks,
    )


def _listed(masks: Mapping[str, np.ndarray]) -> str:
    parts = [f"{count_frames(int(mask.sum()))} of {name}" for name, mask in masks.items()]
    return " and ".join(
        part for part, mask in zip(parts, masks.values(), strict=True) if mask.any()
    )
