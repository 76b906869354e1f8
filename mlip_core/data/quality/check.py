"""The check of a dataset: one pass over its files, then all checks over what was measured."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.findings import Finding, count_frames, raise_on_errors
from mlip_core.data.frame_index import FrameFlag, FrameIndex
from mlip_core.data.frames import (
    QUANTITIES,
    BadFrame,
    Frame,
    FrameBlock,
    LabelKeys,
    in_blocks,
    scan_blocks,
)
from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.consistency_checks import check_work
from mlip_core.data.quality.energy_checks import check_energy_outliers, check_mixed_energies
from mlip_core.data.quality.force_checks import (
    check_force_size,
    check_net_force,
    check_stress_size,
)
from mlip_core.data.quality.structure_checks import (
    check_cells,
    check_distances,
    check_duplicates,
    check_elements,
)
from mlip_core.data.quality.suspects import Found, Suspects
from mlip_core.data.quality.table import FrameTable, measure_frames
from mlip_core.utils.errors import UserError

# In this order: what is dropped by one is not seen by the next.
_CHECKS: tuple[Callable[[FrameTable, QualityConfig], Found], ...] = (
    check_duplicates,
    check_distances,
    check_cells,
    check_net_force,
    check_force_size,
    check_stress_size,
    check_energy_outliers,
    check_mixed_energies,
    check_work,
    check_elements,
)
_MOST_COMPOSITIONS = 20


@dataclass(frozen=True)
class QualityReport:
    """The findings, and a summary of the dataset without the frames that were dropped."""

    summary: dict[str, Any]
    findings: list[Finding]

    def to_json(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        return {"summary": self.summary, "findings": [asdict(f) for f in self.findings]}

    def raise_on_errors(self) -> None:
        """Raise a ``UserError`` of one line if there is an error among the findings."""
        raise_on_errors(self.findings)


def check_files(
    files: Sequence[str],
    labels: LabelKeys | None = None,
    config: QualityConfig | None = None,
    group_key: str | None = None,
) -> tuple[QualityReport, FrameIndex]:
    """Run all checks over the frames of files, which are read once.

    Memory does not depend on the size of structures; it is about half a kilobyte for each frame.

    Args:
        files: paths of the files.
        labels: keys and units of the labels.
        config: thresholds, and what to do about findings.
        group_key: property of the frames that the index tells apart.

    Returns:
        The findings, and the index of the frames, in which those to be dropped are marked.

    Raises:
        UserError: if a file cannot be read, or there is no structure (left).
    """
    config = config or QualityConfig()
    blocks = {file: scan_blocks(file, labels, config.require) for file in files}
    return _check(blocks, config, group_key)


def check_frames(
    frames: Iterable[Frame], config: QualityConfig | None = None, group_key: str | None = None
) -> tuple[QualityReport, FrameIndex]:
    """Run all checks over frames in memory, by the files they name; see :func:`check_files`."""
    by_file: dict[str, list[Frame]] = {}
    for frame in frames:
        by_file.setdefault(frame.file, []).append(frame)
    blocks = {file: in_blocks(frames) for file, frames in by_file.items()}
    return _check(blocks, config or QualityConfig(), group_key)


def _check(
    files: Mapping[str, Iterable[FrameBlock | BadFrame]],
    config: QualityConfig,
    group_key: str | None,
) -> tuple[QualityReport, FrameIndex]:
    bad_frames = _BadFrames(config)
    table = measure_frames(files, config, bad_frames.add, group_key)
    bad_frames.raise_on_errors()
    if not len(table):
        only = "only free atoms" if len(table.index) else "no frame that can be used"
        raise UserError(f"{', '.join(files)}: {only}; give structures as well")
    _require_labels(table, config, files)
    findings = bad_frames.findings()
    dropped_by = np.zeros(len(table.index), dtype=np.uint8)
    reasons: list[str] = []
    for check in _CHECKS:
        for suspects in check(table, config):
            finding = _finding(suspects, table, config)
            findings += finding
            if finding and finding[0].action == "drop":
                reasons += [] if suspects.check in reasons else [suspects.check]
                dropped_by[table.row[suspects.which]] = 1 + reasons.index(suspects.check)
        table = table.take(dropped_by[table.row] == 0) if reasons else table
        if not len(table):
            raise UserError(f"dataset check: {findings[-1]}; no frame is left")
    index = replace(table.index, drop_reasons=tuple(reasons), dropped_by=dropped_by)
    return QualityReport(_summary(table, index), findings), index


def _require_labels(table: FrameTable, config: QualityConfig, files: Iterable[str]) -> None:
    """Frames may lack labels if ``labels.missing`` says so, but not all of them the same one."""
    for name in config.require:
        if not table.has(FrameFlag[name.upper()]).any():
            raise UserError(
                f"{', '.join(files)}: no frame has {name}; set labels.{name}_key to the key that"
                f" has it, or leave {name} out of check.require"
            )


def _finding(suspects: Suspects, table: FrameTable, config: QualityConfig) -> list[Finding]:
    """The finding, if there is one and it is not to be ignored."""
    action = getattr(config.actions, suspects.check)
    rows = table.row[suspects.which]
    if action == "ignore" or not len(rows):
        return []
    places = table.index.places(rows[: config.max_frames_listed].tolist())
    return [Finding(suspects.check, action, suspects.message, suspects.remedy, len(rows), places)]


class _BadFrames:
    """Counts frames that cannot be used, and keeps the first of each check."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[BadFrame]] = {}

    def add(self, frame: BadFrame) -> None:
        check = "missing_labels" if frame.kind == "missing label" else "bad_frames"
        self._counts[check] += 1
        first = self._first.setdefault(check, [])
        if len(first) < max(1, self._config.max_frames_listed):
            first.append(frame)

    def raise_on_errors(self) -> None:
        """Raise the first complaint that is an error."""
        for check, first in self._first.items():
            if getattr(self._config.actions, check) == "error":
                more = self._counts.total() - 1
                others = f" (and {count_frames(more)} more cannot be used)" if more else ""
                raise UserError(f"{first[0].message}{others}")

    def findings(self) -> list[Finding]:
        """A finding for each check."""
        whats = {"missing_labels": "without a label that is needed", "bad_frames": "of no use"}
        return [
            Finding(
                check,
                action,
                f"{count_frames(self._counts[check])} {whats[check]}, left out",
                f"the first is {first[0].message}",
                self._counts[check],
                [{"file": f.file, "index": f.index} for f in first],
            )
            for check, first in self._first.items()
            if (action := getattr(self._config.actions, check)) != "ignore"
        ]


def _summary(table: FrameTable, index: FrameIndex) -> dict[str, Any]:
    components = 3 * table.n_atoms[~np.isnan(table.force_rms)]
    squares = np.square(table.force_rms[~np.isnan(table.force_rms)])
    heights = table.cell_height[np.isfinite(table.cell_height)]
    return {
        "frames": len(table),
        "free_atoms": len(index.free_atoms),
        "dropped": {
            check: int((index.dropped_by == number).sum())
            for number, check in enumerate(index.drop_reasons, start=1)
        },
        "atoms": {
            "total": int(table.n_atoms.sum()),
            "smallest": int(table.n_atoms.min()),
            "largest": int(table.n_atoms.max()),
        },
        "frames_per_element": {
            chemical_symbols[z]: count for z, count in table.frames_per_element().items()
        },
        "compositions": _compositions(table),
        "periodic_frames": int(table.has(FrameFlag.PERIODIC).sum()),
        "smallest_cell_height_angstrom": float(heights.min()) if len(heights) else None,
        "labels": {name: int(table.has(FrameFlag[name.upper()]).sum()) for name in QUANTITIES},
        "energy_ev_per_atom": _range(table.energy_per_atom),
        "largest_force_ev_per_angstrom": _range(table.largest_force),
        "force_rms_ev_per_angstrom": (
            float(np.sqrt(np.average(squares, weights=components))) if len(squares) else None
        ),
    }


def _compositions(table: FrameTable) -> dict[str, Any]:
    """How many there are, and the most frequent ones."""
    n_frames = table.frames_per_composition()
    frequent = np.argsort(-n_frames, kind="stable")[:_MOST_COMPOSITIONS]
    return {
        "number": int((n_frames > 0).sum()),
        "frequent": {table.index.formula(c): int(n_frames[c]) for c in frequent if n_frames[c]},
    }


def _range(values: np.ndarray) -> dict[str, float] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    return {"min": float(known.min()), "mean": float(known.mean()), "max": float(known.max())}
