"""Equations of state: the known bulk modulus of EMT copper, and potentials without a minimum."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.eos import EquationOfState as AseEquationOfState

from mlip_core.physics.config import EquationOfStateConfig
from mlip_core.physics.equation_of_state import (
    EquationOfState,
    check_equation_of_state,
    measure_equation_of_state,
)
from mlip_core.physics.result import CheckResult, Quantity
from mlip_core.physics.subject import Subject

CONFIG = EquationOfStateConfig()
# From forces to energies: EMT's minimum of fcc copper (Jacobsen, Norskov, Puska, 1987).
LATTICE_CONSTANT = 3.5903


def found(result: CheckResult) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in result.quantities}


def test_fit_is_exact_for_its_own_curve() -> None:
    """Birch's formula in its usual form, with B' other than 4."""
    volume, modulus, derivative = 12.0, 0.9, 4.6
    volumes = np.linspace(11.0, 13.2, 9)
    x = (volume / volumes) ** (2 / 3)
    energies = -3.0 + 9 * volume * modulus / 16 * (
        (x - 1) ** 3 * derivative + (x - 1) ** 2 * (6 - 4 * x)
    )
    eos = EquationOfState.fit(volumes, energies)
    assert eos.volume == pytest.approx(volume, rel=1e-9)
    assert eos.bulk_modulus == pytest.approx(modulus, rel=1e-7)
    assert eos.residual < 1e-12


def test_bulk_modulus_of_copper_is_that_of_its_elastic_energy() -> None:
    """Against the second derivative of the energy by finite differences at the minimum."""
    copper = bulk("Cu", a=3.65)
    result = check_equation_of_state(EMT(), Subject([copper]), CONFIG, seed=0)
    quantities = found(result)
    assert result.passed

    def energy(volume: float) -> float:
        atoms = bulk("Cu", a=(4 * volume) ** (1 / 3))
        atoms.calc = EMT()
        return float(atoms.get_potential_energy())

    volume = quantities["volume"].value
    assert volume == pytest.approx(LATTICE_CONSTANT**3 / 4, rel=2e-3)
    assert volume is not None
    step = 0.02
    curvature = (energy(volume + step) - 2 * energy(volume) + energy(volume - step)) / step**2
    assert quantities["bulk modulus"].value == pytest.approx(
        volume * curvature / units.GPa, rel=0.02
    )


def test_agrees_with_ase() -> None:
    copper = bulk("Cu", a=LATTICE_CONSTANT)
    scan = measure_equation_of_state(EMT(), Subject([copper]), CONFIG)["Cu"]
    expected = AseEquationOfState(scan["volumes"], scan["energies"], "birchmurnaghan").fit()
    eos = EquationOfState.fit(np.array(scan["volumes"]), np.array(scan["energies"]))
    assert eos.volume == pytest.approx(expected[0], rel=1e-6)
    assert eos.bulk_modulus == pytest.approx(expected[2], rel=1e-4)


def test_structure_that_is_too_large_has_no_minimum_inside() -> None:
    result = check_equation_of_state(EMT(), Subject([bulk("Cu", a=4.2)]), CONFIG, seed=0)
    assert result.passed is False
    assert found(result)["volume"].value is None
    assert found(result)["bulk modulus"].passed is False


def test_kink_does_not_fit() -> None:
    """A cutoff that neighbours cross: the energy jumps."""
    jumping = LennardJones(sigma=2.3, epsilon=1.0, rc=3.65, smooth=False)
    result = check_equation_of_state(jumping, Subject([bulk("Cu", a=3.6)]), CONFIG, seed=0)
    assert result.passed is False
    assert found(result)["distance from the fitted curve"].passed is False


def test_atoms_are_relaxed_at_each_volume() -> None:
    copper = bulk("Cu", a=LATTICE_CONSTANT, cubic=True)
    expected = measure_equation_of_state(EMT(), Subject([copper]), CONFIG)["Cu4"]
    moved = copper.copy()
    moved.rattle(0.1, seed=2)
    relaxed = measure_equation_of_state(EMT(), Subject([moved]), CONFIG)["Cu4"]
    np.testing.assert_allclose(relaxed["energies"], expected["energies"], rtol=0, atol=1e-4)


def test_known_values_are_compared() -> None:
    copper = Subject([bulk("Cu", cubic=True)])
    config = CONFIG.model_validate({"reference": {"Cu": {"bulk_modulus_gpa": 140.0}}})
    result = check_equation_of_state(EMT(), copper, config, seed=0)
    assert result.passed
    error = found(result)["error of the bulk modulus"].value
    assert error == pytest.approx(100 * (found(result)["bulk modulus"].value / 140.0 - 1))  # type: ignore[operator]
    assert "error of the volume" not in found(result)
    strict = config.model_copy(update={"max_bulk_modulus_error_percent": 0.1})
    assert check_equation_of_state(EMT(), copper, strict, seed=0).passed is False


def test_reference_calculator_is_compared() -> None:
    copper = [bulk("Cu", a=LATTICE_CONSTANT)]
    same = Subject(copper, reference=measure_equation_of_state(EMT(), Subject(copper), CONFIG))
    result = check_equation_of_state(EMT(), same, CONFIG, seed=0)
    assert found(result)["error of the volume"].value == 0.0
    np.testing.assert_array_equal(
        result.table["energy_mev_per_atom"], result.table["reference_mev_per_atom"]
    )
    softer = LennardJones(sigma=2.3, epsilon=0.3, rc=8.0, smooth=True)
    other = check_equation_of_state(softer, same, CONFIG, seed=0)
    assert found(other)["error of the bulk modulus"].passed is False
