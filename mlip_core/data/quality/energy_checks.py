"""Checks of energies against what composition and the other frames let expect."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np

from mlip_core.data.frames.units import ENERGY_UNITS
from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.suspects import Found, Suspects, counted, median_and_spread
from mlip_core.data.quality.table import FrameTable

# A composition of so many frames is compared with itself, a rarer one with the fit.
_ENOUGH_FRAMES = 10
# Smaller deviations are chemistry, eV/atom.
_MIN_DEVIATION = 0.05
# Two groups of energies have at least so many frames and this share of all, are this many times
# farther apart than they are wide, and their forces differ by no more than this factor.
_GROUP_FRAMES, _GROUP_SHARE, _GROUP_SEPARATION, _GROUP_FORCES = 3, 0.02, 3.0, 1.5
# Residuals of different compositions differ by as much as cohesive energies do, eV/atom.
_MIN_GAP_OF_COMPOSITIONS = 5.0
_FIT_STEPS = 30
# Forces below this are relaxed ones, eV/Å.
_NO_FORCE = 0.01


def check_energy_outliers(table: FrameTable, config: QualityConfig) -> Found:
    """Energies that stand out from those of the same composition, or from the fit to all."""
    fit = _Fit.of(table)
    deviations, spreads = _deviations(table, fit)
    which = np.abs(deviations) > np.maximum(config.energy_outlier_factor * spreads, _MIN_DEVIATION)
    largest = np.abs(deviations)[which].max(initial=0)
    yield Suspects(
        "energy_outliers",
        which,
        f"the energy of {counted(which)} is far from what the others let expect,"
        f" by up to {largest:.3g} eV/atom",
        "check that these calculations converged",
    )


def check_mixed_energies(table: FrameTable, config: QualityConfig) -> Found:
    """Energies in two separate groups although composition and forces are alike."""
    energies = table.energy_per_atom
    minor, gap, ratio = _minorities(table, energies, table.composition, config)
    where = "of one composition"
    if not minor.any():
        residuals = energies - _Fit.of(table).energies[table.composition]
        everything = np.zeros(len(table), dtype=int)
        minor, gap, ratio = _minorities(
            table, residuals, everything, config, _MIN_GAP_OF_COMPOSITIONS
        )
        where = "less those of their atoms"
    yield Suspects(
        "mixed_energies",
        minor,
        f"energies {where} are in two groups {gap:.3g} eV/atom apart with like forces;"
        f" {counted(minor)} in the smaller{_unit_hint(ratio)}",
        "use energies of one unit and one level of theory",
    )


def _deviations(table: FrameTable, fit: "_Fit") -> tuple[np.ndarray, np.ndarray]:
    """Deviation of each energy per atom, and the usual size of such deviations.

    Frames of a frequent composition deviate from its median, by as much as is usual within
    frequent compositions; as fluctuations do, it falls with the root of the number of atoms. Others
    deviate from the fit, by as much as is usual among compositions.
    """
    energies, composition = table.energy_per_atom, table.composition
    frequent = fit.counts[composition] >= _ENOUGH_FRAMES
    expected = np.where(frequent, fit.medians[composition], fit.energies[composition])
    deviations = energies - expected
    roots = np.sqrt(table.n_atoms)
    within = _spread((deviations * roots)[frequent]) / roots
    return deviations, np.where(frequent, within, fit.spread())


class _Fit(NamedTuple):
    """What elements let expect of each composition's energy per atom, eV.

    Attributes:
        energies: ``[n_compositions]``, from energies of the elements that were fitted to all.
        medians: ``[n_compositions]``, of the composition itself; NaN without energies.
        counts: ``[n_compositions]``, how many energies there are.
        n_elements: number of fitted elements.
    """

    energies: np.ndarray
    medians: np.ndarray
    counts: np.ndarray
    n_elements: int

    @classmethod
    def of(cls, table: FrameTable) -> Self:
        """Fit with the least sum of absolute residuals, which outliers do not bend.

        It is found by least squares with weights that are made smaller where residuals are large,
        again and again (Schlossmacher 1973, doi:10.1080/01621459.1973.10481336).
        """
        compositions = table.index.compositions
        elements = np.unique(table.index.composition_numbers)
        shares = compositions[:, elements].multiply(1 / compositions.sum(axis=1)[:, None]).tocsr()
        medians, counts = _medians(table.energy_per_atom, table.composition, len(shares.indptr) - 1)
        weights, known = counts.astype(float), np.nan_to_num(medians)
        for _ in range(_FIT_STEPS):
            weighted = shares.multiply(weights[:, None]).tocsr()
            normal = (weighted.T @ shares).toarray()
            fitted = shares @ np.linalg.lstsq(normal, weighted.T @ known, rcond=1e-10)[0]
            weights = counts / np.maximum(np.abs(known - fitted), 1e-6)
        return cls(fitted, medians, counts, len(elements))

    def spread(self) -> float:
        """The usual residual of a composition, infinite if the fit leaves too few to tell."""
        residuals = self.medians - self.energies
        if (self.counts > 0).sum() < _ENOUGH_FRAMES + self.n_elements:
            return np.inf
        return _spread(residuals)


def _spread(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return median_and_spread(known)[1] if len(known) else np.inf


def _medians(
    values: np.ndarray, groups: np.ndarray, n_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lower median of each group's values that are numbers (NaN without), and their count."""
    known = ~np.isnan(values)
    values, groups = values[known], groups[known]
    counts = np.bincount(groups, minlength=n_groups)
    ends = np.cumsum(counts)
    ordered = values[np.lexsort((values, groups))]
    medians = np.full(n_groups, np.nan)
    medians[counts > 0] = ordered[(ends - counts + (counts - 1) // 2)[counts > 0]]
    return medians, counts


def _minorities(
    table: FrameTable,
    values: np.ndarray,
    groups: np.ndarray,
    config: QualityConfig,
    min_gap: float = 0.0,
) -> tuple[np.ndarray, float, float]:
    """Frames on the smaller side of a gap in the values of their group.

    Returns:
        A mask of the table's rows, the largest of the gaps, and the ratio of energies across it.
    """
    minor = np.zeros(len(table), dtype=bool)
    widest, ratio = 0.0, 1.0
    for rows in _with_gap(values, groups, max(min_gap, config.min_energy_gap_ev_per_atom)):
        low, high, gap = _sides(rows, values)
        separate = gap > _GROUP_SEPARATION * (np.std(values[low]) + np.std(values[high]))
        # Forces of different compositions are different, and explain no such gap.
        alike = min_gap > 0 or _are_alike(table.force_rms[low], table.force_rms[high])
        if separate and alike:
            few, many = (low, high) if len(low) < len(high) else (high, low)
            minor[few] = True
            if gap > widest:
                energies = table.energy_per_atom
                widest, ratio = gap, float(np.median(energies[few]) / np.median(energies[many]))
    return minor, widest, ratio


def _with_gap(values: np.ndarray, groups: np.ndarray, min_gap: float) -> Iterator[np.ndarray]:
    """Rows, by ascending value, of each group that has a gap wider than ``min_gap``."""
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.lexsort((values[known], groups[known]))]
    wide = (np.diff(values[order]) > min_gap) & (np.diff(groups[order]) == 0)
    for group in np.unique(groups[order][:-1][wide]):
        start, stop = np.searchsorted(groups[order], [group, group + 1])
        if stop - start >= 2 * _GROUP_FRAMES:
            yield order[start:stop]


def _sides(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows below and above the widest gap that leaves enough on either side, and its width."""
    fewest = max(_GROUP_FRAMES, int(_GROUP_SHARE * len(rows)))
    gaps = np.diff(values[rows])[fewest - 1 : len(rows) - fewest]
    position = int(np.argmax(gaps))
    cut = position + fewest
    return rows[:cut], rows[cut:], float(gaps[position])


def _are_alike(low: np.ndarray, high: np.ndarray) -> bool:
    """Whether forces are no reason for another energy; so if there are none."""
    if np.isnan(low).all() or np.isnan(high).all():
        return True
    sizes = np.maximum([np.nanmedian(low), np.nanmedian(high)], _NO_FORCE)
    return bool(sizes.max() <= _GROUP_FORCES * sizes.min())


def _unit_hint(ratio: float) -> str:
    """What a ratio of energies says about units, if anything."""
    for name, factor in ENERGY_UNITS.items():
        if factor != 1 and any(abs(r * factor - 1) < 0.03 for r in (ratio, 1 / ratio)):
            return f" (their ratio is that of {name} to eV)"
    return ""
