"""Checks of forces and stress against the changes of the energy."""

from collections.abc import Mapping

import numpy as np

from mlip_core.data.frames.units import ENERGY_UNITS, FORCES_UNITS, STRESS_UNITS
from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.suspects import Found, Suspects
from mlip_core.data.quality.table import FrameTable

# So many pairs of neighbouring frames, of which this share agrees with one factor to within half of
# it, say what the factor is. Up to the last value, or its inverse, it is taken for 1.
_ENOUGH_PAIRS, _AGREEING_SHARE, _AGREEMENT, _TOLERANCE = 10, 0.6, 0.5, 1.5
# No pair counts for more than so many ordinary ones.
_MAX_WEIGHT = 3.0
# Work below this share of the energy's change is left out of account.
_SMALL_SHARE = 0.3
# Numerical noise of energies, eV.
_NOISE = 1e-4
# What is often mistaken for our units, and the factor that it makes between energy and work.
_FORCES = {
    f"the forces in {unit}": FORCES_UNITS[unit]
    for unit in (
        "Hartree/Bohr",
        "Hartree/Angstrom",
        "Ry/Bohr",
        "kcal/mol/Angstrom",
        "kJ/mol/Angstrom",
    )
} | {
    f"the energies in {unit}": 1 / ENERGY_UNITS[unit]
    for unit in ("Hartree", "Ry", "kcal/mol", "kJ/mol")
}
_STRESSES = {
    f"the stresses in {unit}": STRESS_UNITS[unit]
    for unit in ("GPa", "kbar", "Hartree/Bohr^3", "Ry/Bohr^3")
}


def check_work(table: FrameTable, _config: QualityConfig) -> Found:
    """Labels that contradict the changes of the energy between neighbouring frames."""
    change, by_forces, by_stress = table.energy_change, table.force_work, table.stress_work
    pairs = np.abs(by_stress) <= _SMALL_SHARE * np.abs(change)
    forces_factor = _factor(change[pairs], by_forces[pairs])
    if forces_factor is not None:
        yield Suspects(
            "inconsistent_forces",
            ~np.isnan(table.largest_force),
            f"between neighbouring frames the energy changes {_times(forces_factor)} as much as"
            f" the forces say{_hint(forces_factor, _FORCES, 'forces')}",
            "check labels.forces_key, forces_unit and energy_unit",
        )
        return  # What the stress says is seen only where the forces are right.
    pairs = np.abs(by_forces) <= _SMALL_SHARE * np.abs(change)
    stress_factor = _factor(change[pairs] - by_forces[pairs], by_stress[pairs])
    if stress_factor is not None:
        yield Suspects(
            "inconsistent_stress",
            ~np.isnan(table.largest_stress),
            f"between strained frames the energy changes {_times(stress_factor)} as much as the"
            f" stress says{_hint(stress_factor, _STRESSES, 'stresses')}",
            "check labels.stress_key, stress_unit and stress_sign",
        )


def _factor(change: np.ndarray, work: np.ndarray) -> float | None:
    """The factor between energy change and work if the pairs agree on one that is not 1."""
    told = (np.abs(change) > _NOISE) & (work != 0) & ~np.isnan(work)
    change, work = change[told], work[told]
    if len(work) < _ENOUGH_PAIRS:
        return None
    weights = _weights(change, work)
    factor = _weighted_median(change / work, weights)
    agreeing = np.abs(change - factor * work) < _AGREEMENT * np.abs(factor * work)
    if weights[agreeing].sum() < _AGREEING_SHARE * weights.sum():
        return None
    return None if 1 / _TOLERANCE < factor < _TOLERANCE else factor


def _weights(change: np.ndarray, work: np.ndarray) -> np.ndarray:
    """How much each pair tells: little if the change or the work is small; it may be wrong."""
    sizes = [np.abs(values) / np.median(np.abs(values)) for values in (change, work)]
    return np.minimum(*sizes).clip(max=_MAX_WEIGHT)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


def _times(factor: float) -> str:
    return f"{factor:.3g} times"


def _hint(factor: float, suspicions: Mapping[str, float], what: str) -> str:
    """Which sign or units explain a factor."""
    if factor < 0:
        return f": the sign of the {what} is wrong" if 0.5 < -factor < 2 else ""
    fitting = [text for text, value in suspicions.items() if abs(np.log(factor / value)) < 0.2]
    return f": are {' or '.join(fitting)}?" if fitting else ""
