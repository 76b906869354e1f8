"""Atoms pressed together: walls pass, holes that were planted do not."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculatorError
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from tblite.ase import TBLite

from mlip_core.physics.config import DimersConfig
from mlip_core.physics.dimers import check_dimers, height_of_wall, nearest_contacts
from mlip_core.physics.result import CheckResult, Quantity
from mlip_core.physics.subject import Subject
from tests.physics.potentials import PairPotential

CONFIG = DimersConfig()
HYDROGEN = Subject([Atoms("H2", positions=[[0, 0, 0], [1.0, 0, 0]])], ["H"], cutoff=4.0)


def found(result: CheckResult) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in result.quantities}


def wall_with_hole(depth: float, place: float) -> PairPotential:
    """A wall, and a hole in it of a width of some 0.05 Å."""
    return PairPotential(lambda r: 3.0 / r - depth * np.exp(-(((r - place) / 0.03) ** 2)))


@pytest.mark.parametrize(
    ("energies", "height"),
    [
        ([0.0, 1.0, 2.0], 2.0),
        ([1.0, 3.0, 2.5, 9.0], 2.0),
        ([0.0, -0.1, 4.0], 4.0),  # not yet at the minimum
        ([0.0, -1.0, 4.0], 0.0),
        ([5.0], 0.0),
    ],
)
def test_height_of_a_wall(energies: list[float], height: float) -> None:
    """Energies from the outside to the inside."""
    assert height_of_wall(np.array(energies), 0.2) == pytest.approx(height)


def test_energy_that_is_no_number_has_no_wall() -> None:
    assert np.isnan(height_of_wall(np.array([0.0, np.nan, 5.0]), 0.2))
    assert np.isnan(height_of_wall(np.array([]), 0.2))


def test_nearest_contacts_of_a_molecule() -> None:
    contacts = nearest_contacts(molecule("CH3OH"), 5.0)
    assert set(contacts) == {"C-H", "C-O", "H-O", "H-H"}
    atoms = molecule("CH3OH")
    distances = atoms.get_all_distances() + 9.0 * np.eye(len(atoms))
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    expected = distances[np.ix_(hydrogens, hydrogens)].min()
    assert np.linalg.norm(contacts["H-H"].vector) == pytest.approx(expected)


def test_nearest_contact_goes_through_the_cell() -> None:
    atoms = Atoms("ArNe", positions=[[0.5, 0, 0], [9.5, 0, 0]], cell=[10, 10, 10], pbc=True)
    contact = nearest_contacts(atoms, 5.0)["Ar-Ne"]
    np.testing.assert_allclose(np.abs(contact.vector), [1.0, 0.0, 0.0])
    assert nearest_contacts(bulk("Cu"), 5.0) == {}


@pytest.mark.parametrize("name", ["C2H6", "N2H4"])
def test_reference_calculator_passes(name: str) -> None:
    """Alone, two atoms of carbon or nitrogen attract each other at the lengths of their bonds."""
    atoms = molecule(name)
    subject = Subject([atoms], sorted(set(atoms.symbols)), cutoff=5.0)
    config = DimersConfig(points=12)
    result = check_dimers(TBLite(method="GFN2-xTB", verbosity=0), subject, config, seed=0)
    assert result.passed
    assert min(quantity.value or 0.0 for quantity in result.quantities) > config.max_energy_ev
    pair = "N-N" if name == "N2H4" else "C-C"
    own = result.table[result.table["pair"] == pair]
    bond = own["distance_angstrom"][own["energy_ev"].notna()].max()
    alone = own.dropna(subset="energy_alone_ev")
    deepest = alone.loc[alone["energy_alone_ev"].idxmin(), "distance_angstrom"]
    assert deepest < 0.95 * bond


def test_crystal_passes() -> None:
    result = check_dimers(EMT(), Subject([bulk("Cu", cubic=True)], ["Cu"]), CONFIG, seed=0)
    assert result.passed
    assert set(found(result)) == {"energy wall, Cu-Cu"}


def test_planted_hole_fails() -> None:
    """The wall rises by 3/0.8 - 3/1.0 = 0.75 eV to where the hole is."""
    result = check_dimers(wall_with_hole(2.0, 0.8), HYDROGEN, CONFIG, seed=0)
    assert result.passed is False
    assert found(result)["energy wall, H-H"].value == pytest.approx(0.5, abs=0.15)


def test_hole_behind_a_wall_passes() -> None:
    result = check_dimers(wall_with_hole(3.0, 0.45), HYDROGEN, CONFIG, seed=0)
    assert result.passed
    higher = CONFIG.model_copy(update={"min_wall_ev": 5.0})
    assert check_dimers(wall_with_hole(3.0, 0.45), HYDROGEN, higher, seed=0).passed is False


def test_atoms_that_do_not_feel_each_other_fail() -> None:
    assert not check_dimers(PairPotential(lambda r: 0.0 * r), HYDROGEN, CONFIG, seed=0).passed


def test_curves_end_where_the_energy_is_high() -> None:
    config = CONFIG.model_copy(update={"max_energy_ev": 3.0})
    table = check_dimers(PairPotential(lambda r: 3.0 / r), HYDROGEN, config, seed=0).table
    energies = table["energy_ev"].dropna()
    assert (energies > 3.0).sum() == 1
    assert energies.max() < 3.5
    with pytest.raises(ValueError, match="max_energy_ev must not be less"):
        DimersConfig(max_energy_ev=1.0)


def test_distances_at_which_the_calculator_fails_are_left_out() -> None:
    class Picky(LennardJones):
        def calculate(self, *args: Any, **kwargs: Any) -> None:
            super().calculate(*args, **kwargs)
            if self.atoms.get_distance(0, 1) < 0.9:
                raise CalculatorError("no convergence")

    table = check_dimers(Picky(sigma=0.9, rc=10.0), HYDROGEN, CONFIG, seed=0).table
    assert table["distance_angstrom"].min() >= 0.9


def test_structures_are_told_apart() -> None:
    subject = Subject([molecule("H2"), molecule("H2O")], ["H", "O"])
    result = check_dimers(PairPotential(lambda r: 3.0 / r), subject, CONFIG, seed=0)
    assert set(found(result)) == {
        "energy wall, H-H, H2",
        "energy wall, H-H, H2O",
        "energy wall, H-O, H2O",
    }
