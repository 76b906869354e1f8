"""Potentials that know no direction pass, one in a field does not."""

import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from mlip_core.physics.config import InvarianceConfig
from mlip_core.physics.invariance import check_invariance
from mlip_core.physics.subject import Subject
from tests.physics.potentials import FieldEmt, SortedForces

CONFIG = InvarianceConfig(operations=3)
EXACT = CONFIG.model_copy(
    update={"max_energy_error_mev_per_atom": 1e-6, "max_force_error_mev_per_angstrom": 1e-6}
)


def test_molecule_and_crystal() -> None:
    copper = bulk("Cu", cubic=True)
    copper.rattle(0.1, seed=1)
    result = check_invariance(EMT(), Subject([molecule("CH3CH2OH"), copper]), EXACT, seed=1)
    assert result.passed
    assert len(result.quantities) == 16
    assert len(result.table) == 2 * 4 * 3
    assert set(result.table["operation"]) == {
        "rotation",
        "reflection",
        "translation",
        "permutation",
    }


def test_triclinic_cell_of_two_elements_goes_along() -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.0) * (2, 1, 1)
    crystal.rattle(0.1, seed=1)
    potential = LennardJones(sigma=2.2, epsilon=0.1, rc=6.0, smooth=True)
    assert check_invariance(potential, Subject([crystal]), EXACT, seed=1).passed


def test_direction_is_found() -> None:
    result = check_invariance(FieldEmt(), Subject([molecule("CH3CH2OH")]), CONFIG, seed=1)
    failed = {quantity.name for quantity in result.quantities if quantity.passed is False}
    assert failed == {
        "change of the energy, rotation",
        "change of the energy, reflection",
        "change of the forces, rotation",
        "change of the forces, reflection",
    }


def test_order_of_atoms_is_found() -> None:
    result = check_invariance(SortedForces(), Subject([molecule("CH3CH2OH")]), CONFIG, seed=1)
    failed = {quantity.name for quantity in result.quantities if quantity.passed is False}
    assert failed == {"change of the forces, permutation"}


@pytest.mark.parametrize("seed", [1, 2])
def test_seed_decides_the_operations(seed: int) -> None:
    ethanol = Subject([molecule("CH3CH2OH")])
    first = check_invariance(FieldEmt(), ethanol, CONFIG, seed=1).table
    assert check_invariance(FieldEmt(), ethanol, CONFIG, seed).table.equals(first) == (seed == 1)
