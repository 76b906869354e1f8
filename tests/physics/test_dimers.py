"""Curves of two atoms: walls pass, holes that were planted do not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase.calculators.calculator import CalculatorError
from ase.calculators.lj import LennardJones

from mlip_core.physics.config import DimersConfig
from mlip_core.physics.dimers import check_dimers, depth_of_hole
from mlip_core.physics.result import CheckResult, Quantity
from mlip_core.physics.subject import Subject
from tests.physics.potentials import PairPotential

CONFIG = DimersConfig()
# Bonds of carbon are 1.2 Å at least in this training set, two hydrogen atoms are far apart.
SUBJECT = Subject([], ["C", "H"], {"C-C": 1.2, "C-H": 1.0, "H-H": 1.6}, cutoff=5.0)


def found(result: CheckResult) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in result.quantities}


def wall_with_hole(depth: float, place: float) -> PairPotential:
    """A wall, and a hole in it of a width of some 0.05 Å."""
    return PairPotential(lambda r: 3.0 / r - depth * np.exp(-(((r - place) / 0.03) ** 2)))


@pytest.mark.parametrize(
    ("energies", "depth"),
    [([0.0, 1.0, 2.0], 0.0), ([0.0, 2.0, 1.5], 0.5), ([1.0, 0.0, 3.0, 2.0], 1.0), ([], 0.0)],
)
def test_depth_of_a_hole(energies: list[float], depth: float) -> None:
    """Energies from the outside to the inside."""
    distances = 5.0 - np.arange(len(energies))
    curve = pd.DataFrame({"distance_angstrom": distances, "energy_ev": energies}, dtype=float)
    assert depth_of_hole(curve) == depth
    assert depth_of_hole(curve[::-1]) == depth


def test_energy_that_is_no_number_has_no_depth() -> None:
    curve = pd.DataFrame({"distance_angstrom": [1.0, 2.0], "energy_ev": [np.nan, 1.0]})
    assert np.isnan(depth_of_hole(curve))


def test_wall_passes() -> None:
    result = check_dimers(LennardJones(sigma=1.0, rc=10.0), SUBJECT, CONFIG, seed=0)
    assert result.passed
    # Two hydrogen atoms are not bonded in training: what the potential does when they come nearer
    # than there, which is to attract them, may be right.
    assert set(found(result)) == {
        "hole, C-C",
        "hole, C-H",
        "deepest hole nearer than in training, H-H",
    }
    assert set(result.table["pair"]) == {"C-C", "C-H", "H-H"}
    assert len(result.table) == 3 * CONFIG.points
    # Relative to the free atoms.
    assert result.table.groupby("pair")["energy_ev"].last().tolist() == [0.0, 0.0, 0.0]


def test_planted_hole_fails() -> None:
    result = check_dimers(wall_with_hole(2.0, 1.12), SUBJECT, CONFIG, seed=0)
    assert result.passed is False
    hole = found(result)["hole, C-C"]
    assert hole.passed is False
    # The wall itself rises by 0.2 eV towards the bottom of the hole.
    assert hole.value == pytest.approx(1.8, abs=0.2)
    assert found(result)["hole, C-H"].passed


def test_shallow_hole_passes() -> None:
    assert check_dimers(wall_with_hole(0.2, 1.12), SUBJECT, CONFIG, seed=0).passed
    strict = CONFIG.model_copy(update={"max_hole_ev": 0.0})
    assert check_dimers(wall_with_hole(0.2, 1.12), SUBJECT, strict, seed=0).passed is False


def test_hole_below_what_is_judged_is_shown_only() -> None:
    result = check_dimers(wall_with_hole(3.0, 0.8), SUBJECT, CONFIG, seed=0)
    assert result.passed
    shown = [q for q in result.quantities if q.name.startswith("deepest hole nearer")]
    assert len(shown) == 1
    assert shown[0].passed is None
    assert shown[0].value is not None
    assert shown[0].value > 2.0
    deeper = CONFIG.model_copy(update={"judged_down_to": 0.6})
    assert check_dimers(wall_with_hole(3.0, 0.8), SUBJECT, deeper, seed=0).passed is False


def test_what_was_judged_is_marked() -> None:
    table = check_dimers(LennardJones(), SUBJECT, CONFIG, seed=0).table
    judged = table[table["judged"]]
    assert set(judged["pair"]) == {"C-C", "C-H"}
    carbon = judged[judged["pair"] == "C-C"]["distance_angstrom"]
    assert carbon.between(0.9 * 1.2, 1.2).all()
    assert len(carbon) >= 4


def test_distances_at_which_the_calculator_fails_are_left_out() -> None:
    class Picky(LennardJones):
        def calculate(self, *args: Any, **kwargs: Any) -> None:
            super().calculate(*args, **kwargs)
            if self.atoms.get_distance(0, 1) < 0.8:
                raise CalculatorError("no convergence")

    result = check_dimers(Picky(), SUBJECT, CONFIG, seed=0)
    assert result.passed
    assert result.table["distance_angstrom"].min() >= 0.8


def test_nothing_is_judged_without_bonds() -> None:
    apart = Subject([], ["Ar"], {"Ar-Ar": 3.5}, cutoff=6.0)
    result = check_dimers(LennardJones(sigma=3.4, epsilon=0.01), apart, CONFIG, seed=0)
    assert result.passed is None
    assert "none is judged" in result.note
