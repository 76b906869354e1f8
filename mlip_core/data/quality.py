"""Checks of a dataset before anything is trained on it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from ase.data import chemical_symbols
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
)

from mlip_core.data.frames import QUANTITIES, Frame
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.neighborhood import get_neighborhood
from mlip_core.utils.errors import UserError

Severity = Literal["error", "warn"]

# Near enough to be quick, far enough that the cell list is not made of thousands of tiny cells.
_SEARCH_RADIUS_ANGSTROM = 2.0


class QualityConfig(BaseModel):
    """Thresholds of the dataset check.

    Attributes:
        require: labels that every frame must have.
        min_distance_angstrom: two atoms nearer than this are an error.
        max_net_force_ev_per_angstrom: warn if the forces of a frame add up to more than this; an
            isolated system's are zero.
        max_force_ev_per_angstrom: a larger force on an atom is an error.
        force_outlier_factor: warn if a frame's largest force exceeds the median of all frames'
            largest forces by more than this many (scaled) median absolute deviations.
        min_frames_per_element: warn if an element occurs in fewer frames.
        duplicates: whether frames of the same structure are an error or a warning.
        max_frames_listed: how many frames a finding names; all are counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    require: tuple[Literal["energy", "forces", "stress"], ...] = ("energy", "forces")
    min_distance_angstrom: float = Field(default=0.4, ge=0, le=_SEARCH_RADIUS_ANGSTROM)
    max_net_force_ev_per_angstrom: NonNegativeFloat = 0.1
    max_force_ev_per_angstrom: NonNegativeFloat = 300.0
    force_outlier_factor: NonNegativeFloat = 15.0
    min_frames_per_element: NonNegativeInt = 5
    duplicates: Severity = "warn"
    max_frames_listed: PositiveInt = 10


@dataclass(frozen=True)
class Finding:
    """Something wrong with some frames.

    Attributes:
        check: name of the check.
        severity: "error" or "warn".
        message: what is wrong.
        remedy: what to do about it.
        count: how many frames are concerned.
        frames: the first of them, as ``{"file", "index"}``.
    """

    check: str
    severity: Severity
    message: str
    remedy: str
    count: int
    frames: list[dict[str, Any]]

    def __str__(self) -> str:
        first = self.frames[0] if self.frames else None
        place = f" (first: {first['file']} frame {first['index']})" if first else ""
        return f"{self.check}: {self.message}{place}; {self.remedy}"


@dataclass(frozen=True)
class QualityReport:
    """The findings, and a summary of the dataset."""

    summary: dict[str, Any]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """The findings that must be mended before training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def to_json(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        return {"summary": self.summary, "findings": [asdict(f) for f in self.findings]}

    def raise_on_errors(self) -> None:
        """Raise a ``UserError`` of one line if there is an error among the findings."""
        if not self.errors:
            return
        more = len(self.errors) - 1
        others = f" (and {more} more in the quality report)" if more else ""
        raise UserError(f"dataset check: {self.errors[0]}{others}")


def check_frames(frames: Sequence[Frame], config: QualityConfig | None = None) -> QualityReport:
    """Run all checks.

    Raises:
        UserError: if there is no frame.
    """
    if not frames:
        raise UserError("dataset check: there are no frames; give at least one")
    config = config or QualityConfig()
    findings = [finding for check in _CHECKS for finding in check(frames, config)]
    return QualityReport(summary=_summary(frames), findings=findings)


def _check_labels(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    findings = []
    for name in QUANTITIES:
        missing = [frame for frame in frames if frame.label(name) is None]
        if name in config.require:
            message = f"{_frames(len(missing))} without {name}"
            remedy = f"set {name}_key to the key that has it, or remove the frames"
            findings += _finding("missing labels", "error", missing, config, message, remedy)
        elif 0 < len(missing) < len(frames):
            message = f"{_frames(len(missing))} of {len(frames)} without {name}"
            remedy = f"harmless unless {name} is to be trained on"
            findings += _finding("missing labels", "warn", missing, config, message, remedy)
    return findings


def _check_finite(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    bad = [frame for frame in frames if not _is_finite(frame)]
    message = f"positions, energy, forces or stress of {_frames(len(bad))} not finite"
    return _finding("not finite", "error", bad, config, message, "remove or recompute the frames")


def _check_duplicates(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    seen: dict[str, Frame] = {}
    copies, conflicting = [], []
    for frame in frames:
        original = seen.setdefault(frame.digest, frame)
        if original is frame:
            continue
        copies.append(frame)
        if not _same_labels(original, frame):
            conflicting.append(frame)
    return [
        *_finding(
            "duplicates",
            config.duplicates,
            copies,
            config,
            f"{_frames(len(copies))} repeat the structure of an earlier one",
            "remove the copies; until then they stay in one split",
        ),
        *_finding(
            "conflicting duplicates",
            "error",
            conflicting,
            config,
            f"{_frames(len(conflicting))} repeat an earlier structure with other labels",
            "keep the right one; mixed levels of theory or unconverged calculations are the usual"
            " cause",
        ),
    ]


def _check_distances(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    cutoff = config.min_distance_angstrom
    near = [frame for frame in frames if _smallest_distance(frame) < cutoff]
    message = f"{_frames(len(near))} with two atoms nearer than {cutoff} Å"
    return _finding(
        "atoms too close",
        "error",
        near,
        config,
        message,
        "check length units, or remove the frames",
    )


def _check_net_force(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    limit = config.max_net_force_ev_per_angstrom
    bad = [f for f in frames if f.forces is not None and _norm(f.forces.sum(axis=0)) > limit]
    message = f"forces of {_frames(len(bad))} add up to more than {limit} eV/Å"
    remedy = "check for external fields, fixed atoms, or loose convergence"
    return _finding("net force", "warn", bad, config, message, remedy)


def _check_force_size(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    with_forces = [frame for frame in frames if frame.forces is not None]
    if not with_forces:
        return []
    largest = np.array([_largest_force(frame) for frame in with_forces])
    too_large = largest > config.max_force_ev_per_angstrom
    outlying = _outliers(largest, config.force_outlier_factor) & ~too_large
    return [
        *_finding(
            "force too large",
            "error",
            _where(with_forces, too_large),
            config,
            f"{_frames(too_large.sum())} with a force above"
            f" {config.max_force_ev_per_angstrom} eV/Å, up to {largest.max():.4g}",
            "check force units, or remove the frames",
        ),
        *_finding(
            "force outliers",
            "warn",
            _where(with_forces, outlying),
            config,
            f"the largest force of {_frames(outlying.sum())} is far above the others'"
            f" (median {np.median(largest):.4g} eV/Å)",
            "check that these calculations converged",
        ),
    ]


def _check_elements(frames: Sequence[Frame], config: QualityConfig) -> list[Finding]:
    rare = {
        z: n for z, n in _frames_per_element(frames).items() if n < config.min_frames_per_element
    }
    findings = []
    for z, count in rare.items():
        having = [frame for frame in frames if z in frame.numbers]
        message = f"{chemical_symbols[z]} occurs in only {_frames(count)}"
        findings += _finding(
            "rare element", "warn", having, config, message, "add frames with it, or leave it out"
        )
    return findings


_CHECKS: tuple[Callable[[Sequence[Frame], QualityConfig], list[Finding]], ...] = (
    _check_labels,
    _check_finite,
    _check_duplicates,
    _check_distances,
    _check_net_force,
    _check_force_size,
    _check_elements,
)


def _finding(
    check: str,
    severity: Severity,
    frames: Sequence[Frame],
    config: QualityConfig,
    message: str,
    remedy: str,
) -> list[Finding]:
    if not frames:
        return []
    listed = [{"file": f.file, "index": f.index} for f in frames[: config.max_frames_listed]]
    return [Finding(check, severity, message, remedy, len(frames), listed)]


def _summary(frames: Sequence[Frame]) -> dict[str, Any]:
    sizes = [len(frame) for frame in frames]
    forces = [_largest_force(frame) for frame in frames if frame.forces is not None]
    compositions = [frame.atoms.get_chemical_formula() for frame in frames]
    return {
        "frames": len(frames),
        "atoms": {"total": sum(sizes), "smallest": min(sizes), "largest": max(sizes)},
        "frames_per_element": {
            chemical_symbols[z]: n for z, n in _frames_per_element(frames).items()
        },
        "compositions": {
            formula: compositions.count(formula) for formula in sorted(set(compositions))
        },
        "periodic_frames": sum(bool(frame.pbc.any()) for frame in frames),
        "labels": {
            name: sum(frame.label(name) is not None for frame in frames) for name in QUANTITIES
        },
        "energy_ev_per_atom": _range([f.energy / len(f) for f in frames if f.energy is not None]),
        "largest_force_ev_per_angstrom": _range(forces),
        "force_rms_ev_per_angstrom": _rms([f.forces for f in frames if f.forces is not None]),
    }


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"


def _where(frames: Sequence[Frame], mask: np.ndarray) -> list[Frame]:
    return [frames[index] for index in np.flatnonzero(mask).tolist()]


def _is_finite(frame: Frame) -> bool:
    values = [frame.positions, frame.energy, frame.forces, frame.stress]
    return all(np.isfinite(value).all() for value in values if value is not None)


def _same_labels(one: Frame, other: Frame) -> bool:
    for name, tolerance in zip(QUANTITIES, (1e-3, 1e-2, 1e-4), strict=True):
        a, b = one.label(name), other.label(name)
        if a is not None and b is not None and not np.allclose(a, b, rtol=0, atol=tolerance):
            return False
    return True


def _smallest_distance(frame: Frame) -> float:
    """Distance of the two nearest atoms, Å; infinite if none are within the search radius."""
    edges = get_neighborhood(
        frame.positions, _SEARCH_RADIUS_ANGSTROM, tuple(frame.pbc.tolist()), frame.cell
    )
    n_edge = np.array([len(edges[0])])
    vectors = get_edge_relative_vectors(frame.positions, *edges, frame.cell, n_edge, use_np=True)
    return float(np.sqrt(np.square(vectors).sum(axis=1).min(initial=np.inf)))


def _largest_force(frame: Frame) -> float:
    assert frame.forces is not None
    return float(np.sqrt(np.square(frame.forces).sum(axis=1).max()))


def _norm(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector))


def _outliers(values: np.ndarray, factor: float) -> np.ndarray:
    """Values above the median by ``factor`` times 1.4826 median absolute deviations.

    1.4826 makes the deviation equal to the standard deviation for normally distributed values.
    """
    median = np.median(values)
    deviation = 1.4826 * np.median(np.abs(values - median))
    return values - median > factor * deviation + 1e-9 * abs(median)


def _frames_per_element(frames: Sequence[Frame]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for frame in frames:
        for z in np.unique(frame.numbers).tolist():
            counts[z] = counts.get(z, 0) + 1
    return dict(sorted(counts.items()))


def _range(values: Sequence[float]) -> dict[str, float] | None:
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return None
    return {"min": min(finite), "mean": float(np.mean(finite)), "max": max(finite)}


def _rms(arrays: Sequence[np.ndarray]) -> float | None:
    if not arrays:
        return None
    value = float(np.sqrt(np.mean(np.square(np.concatenate(arrays)))))
    return value if np.isfinite(value) else None
