"""Energy against volume of solids."""

from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator

from mlip_core.physics.config import EquationOfStateConfig, SolidReference
from mlip_core.physics.relaxing import bare_copy, relax
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Measurements, Subject, name_of

_MEV = 1000.0

_PLOTS = (
    Plot(
        title="Energy against volume",
        x="volume_angstrom3_per_atom",
        y=["energy_mev_per_atom", "reference_mev_per_atom"],
        x_label="Volume, Å³/atom",
        y_label="Energy - smallest, meV/atom",
        group="structure",
    ),
)


class EquationOfState(NamedTuple):
    """Birch's equation of state (Phys. Rev. 71, 809 (1947)) of third order.

    In ``x = V^(-2/3)`` it is a cubic polynomial, so that its fit is linear.

    Attributes:
        volume: of the minimum, Å³/atom; NaN if the polynomial has none within the data.
        bulk_modulus: there, eV/Å³; NaN as well.
        residual: root mean square distance of the data from the curve, eV/atom.
    """

    volume: float
    bulk_modulus: float
    residual: float

    @classmethod
    def unknown(cls) -> Self:
        """All numbers NaN."""
        return cls(float("nan"), float("nan"), float("nan"))

    @classmethod
    def fit(cls, volumes: np.ndarray, energies: np.ndarray) -> Self:
        """Fit to volumes ``[n]``, Å³/atom, and energies ``[n]``, eV/atom."""
        if not np.isfinite(energies).all():
            return cls.unknown()
        curve = np.polynomial.Polynomial.fit(volumes ** (-2 / 3), energies - energies.mean(), 3)
        residuals = curve(volumes ** (-2 / 3)) - (energies - energies.mean())
        volume = _minimum(curve, volumes)
        x = volume ** (-2 / 3)
        # B = V d²E/dV², where dE/dx is zero: V (dx/dV)² d²E/dx².
        bulk_modulus = 4 / 9 * volume ** (-7 / 3) * curve.deriv(2)(x)
        return cls(volume, float(bulk_modulus), float(np.sqrt(np.mean(residuals**2))))


def _minimum(curve: np.polynomial.Polynomial, volumes: np.ndarray) -> float:
    roots = np.atleast_1d(curve.deriv().roots())
    x = roots[np.isreal(roots)].real
    x = x[(x > 0) & (curve.deriv(2)(x) > 0)]
    found = x ** (-3 / 2)
    found = found[(found > volumes.min()) & (found < volumes.max())]
    return float(found[0]) if len(found) else float("nan")


def measure_equation_of_state(
    calculator: BaseCalculator, subject: Subject, config: EquationOfStateConfig
) -> Measurements:
    """Volumes, Å³/atom, and energies, eV/atom, of each solid."""
    return {name_of(atoms): _scan(calculator, atoms, config) for atoms in subject.structures}


def check_equation_of_state(
    calculator: BaseCalculator, subject: Subject, config: EquationOfStateConfig, seed: int
) -> CheckResult:
    """Fit each solid's energies; compare with the reference calculator's or known values."""
    del seed
    found = measure_equation_of_state(calculator, subject, config)
    known = {
        name_of(atoms): config.reference.get(atoms.symbols.formula.reduce()[0].format("hill"))
        for atoms in subject.structures
    }
    return CheckResult.of_structures(
        quantities={
            name: _quantities(scan, subject.reference.get(name), known[name], config)
            for name, scan in found.items()
        },
        tables={name: _table(scan, subject.reference.get(name)) for name, scan in found.items()},
        plots=_PLOTS,
    )


def _scan(
    calculator: BaseCalculator, atoms: Atoms, config: EquationOfStateConfig
) -> dict[str, list[float]]:
    system = bare_copy(atoms)
    volumes, energies = [], []
    for scale in np.linspace(1 - config.max_strain, 1 + config.max_strain, config.points):
        # Fractional coordinates of the last volume are a better start than those of the first.
        system.set_cell(atoms.cell * scale ** (1 / 3), scale_atoms=True)
        system = relax(
            system, calculator, config.relax_max_force_ev_per_angstrom, config.relax_max_steps
        ).atoms
        volumes.append(system.get_volume() / len(system))
        energies.append(float(system.get_potential_energy()) / len(system))
    return {"volumes": volumes, "energies": energies}


def _fit(scan: dict[str, list[float]]) -> EquationOfState:
    return EquationOfState.fit(np.array(scan["volumes"]), np.array(scan["energies"]))


def _quantities(
    scan: dict[str, list[float]],
    reference: dict[str, list[float]] | None,
    known: SolidReference | None,
    config: EquationOfStateConfig,
) -> list[Quantity]:
    eos = _fit(scan)
    expected = _expected(reference, known)
    return [
        Quantity.at_most(
            "distance from the fitted curve",
            eos.residual * _MEV,
            config.max_residual_mev_per_atom,
            "meV/atom",
        ),
        *_compared(
            "volume", eos.volume, expected.volume, config.max_volume_error_percent, "Å³/atom"
        ),
        *_compared(
            "bulk modulus",
            eos.bulk_modulus / units.GPa,
            expected.bulk_modulus / units.GPa,
            config.max_bulk_modulus_error_percent,
            "GPa",
        ),
    ]


def _expected(
    reference: dict[str, list[float]] | None, known: SolidReference | None
) -> EquationOfState:
    """Known values, or else those of the reference calculator; NaN where there are none."""
    if known is None:
        return _fit(reference) if reference else EquationOfState.unknown()
    return EquationOfState(
        volume=known.volume_angstrom3_per_atom or np.nan,
        bulk_modulus=(known.bulk_modulus_gpa or np.nan) * units.GPa,
        residual=0.0,
    )


def _compared(
    name: str, value: float, expected: float, max_error_percent: float, unit: str
) -> list[Quantity]:
    """A value, which has to be larger than 0, and its error, if the truth is known."""
    quantity = Quantity.at_least(name, value, 0.0, unit)
    if np.isnan(expected):
        return [quantity]
    error = 100 * (value / expected - 1)
    return [
        quantity,
        Quantity.shown(f"reference {name}", expected, unit),
        Quantity.at_most(f"error of the {name}", error, max_error_percent, "%"),
    ]


def _table(scan: dict[str, list[float]], reference: dict[str, list[float]] | None) -> pd.DataFrame:
    volumes = np.array(scan["volumes"])
    return pd.DataFrame(
        {
            "volume_angstrom3_per_atom": volumes,
            "energy_mev_per_atom": _above_minimum(scan["energies"]),
            "reference_mev_per_atom": (
                _above_minimum(reference["energies"])
                if reference
                else np.full(len(volumes), np.nan)
            ),
        }
    )


def _above_minimum(energies: list[float]) -> np.ndarray:
    return _MEV * (np.array(energies) - np.min(energies))
