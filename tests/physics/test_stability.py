"""Dynamics with a thermostat: what stays together survives, what flies apart does not."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculatorError
from ase.calculators.emt import EMT

from mlip_core.physics.config import StabilityConfig
from mlip_core.physics.result import CheckResult
from mlip_core.physics.stability import Bonds, check_stability
from mlip_core.physics.subject import Subject
from tests.physics.potentials import PairPotential, Repulsion, Undefined, spring

SHORT = StabilityConfig(time_fs=100.0, trajectories=2)


class TiringEmt(EMT):
    """EMT that fails after some calls."""

    calls = 0

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        self.calls += 1
        if self.calls > 30:
            raise CalculatorError("no convergence")
        super().calculate(*args, **kwargs)


def share(result: CheckResult) -> float:
    value = {q.name: q.value for q in result.quantities}["share of trajectories that survive"]
    assert value is not None
    return value


def test_solid_survives_at_the_temperature_of_the_thermostat() -> None:
    copper = bulk("Cu", cubic=True) * (2, 2, 2)
    config = StabilityConfig(time_fs=400.0, timestep_fs=4.0, trajectories=2)
    result = check_stability(EMT(), Subject([copper]), config, seed=1)
    assert result.passed
    assert share(result) == 1.0
    assert set(result.table["trajectory"]) == {"Cu32, 300 K, 1", "Cu32, 300 K, 2"}
    late = result.table[result.table["time_fs"] > 100.0]
    # All energy was kinetic in the beginning: half of it has gone into the bonds.
    assert 120.0 < late["temperature_kelvin"].mean() < 400.0
    assert result.table["largest_stretch"].iloc[0] == pytest.approx(1.0)


def test_trajectories_differ_and_are_repeated_by_the_seed() -> None:
    water = Subject([molecule("H2O")])
    bond = spring(20.0, 1.0)
    first, again, other = (check_stability(bond, water, SHORT, s).table for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    energies = first.groupby("trajectory")["potential_energy_ev"].last()
    assert energies.nunique() == 2


def test_atoms_that_fly_apart_do_not_survive() -> None:
    result = check_stability(Repulsion(), Subject([molecule("H2O")]), SHORT, seed=1)
    assert result.passed is False
    assert share(result) == 0.0
    assert "K, 1: the temperature is" in result.note


def test_broken_bond_is_found() -> None:
    """Atoms that feel nothing leave each other at the speed that they have."""
    free = PairPotential(lambda r: 0.0 * r)
    config = SHORT.model_copy(update={"temperatures_kelvin": [3000.0], "time_fs": 500.0})
    result = check_stability(free, Subject([molecule("H2")]), config, seed=1)
    assert share(result) == 0.0
    assert result.note.count("a bond is broken") == 2
    allowed = config.model_copy(update={"broken_bond_factor": None})
    assert check_stability(free, Subject([molecule("H2")]), allowed, seed=1).passed


def test_atoms_that_fall_into_each_other_are_found() -> None:
    # Too weak a spring to heat them.
    result = check_stability(spring(2.0, 0.05), Subject([molecule("H2")]), SHORT, seed=1)
    assert result.passed is False
    assert "two atoms have fallen into each other" in result.note


def test_new_bonds_are_shown_only() -> None:
    """A molecule and a third atom, which is drawn in, through honey lest it overshoots."""
    three = Atoms("H3", positions=[[0, 0, 0], [0, 0, 0.6], [0.9, 0, 0.3]])
    config = SHORT.model_copy(update={"friction_per_fs": 0.3})
    result = check_stability(spring(3.0, 0.55), Subject([three]), config, seed=1)
    shown = {q.name: q for q in result.quantities}["trajectories with new bonds"]
    assert shown.value == 2
    assert shown.passed is None
    assert result.passed


def test_calculator_that_gives_up_ends_the_trajectory() -> None:
    copper = bulk("Cu", cubic=True)
    config = StabilityConfig(time_fs=50.0, trajectories=1)
    result = check_stability(TiringEmt(), Subject([copper]), config, seed=1)
    assert result.passed is False
    assert "the calculation failed after 20 fs" in result.note


def test_forces_that_are_no_numbers_end_the_trajectory() -> None:
    config = StabilityConfig(time_fs=50.0, trajectories=1)
    result = check_stability(Undefined(), Subject([bulk("Cu", cubic=True)]), config, seed=1)
    assert result.passed is False
    assert "energy or positions are not finite after 2 fs" in result.note


def test_share_that_may_be_lost() -> None:
    config = SHORT.model_copy(update={"min_surviving_share": 0.0})
    assert check_stability(Repulsion(), Subject([molecule("H2O")]), config, seed=1).passed


@pytest.mark.parametrize(
    ("symbols", "place", "broken"),
    [
        ("OHO", 1.5, True),  # of neither atom
        ("OHO", 2.2, False),  # a proton that has gone over
        ("OHN", 2.2, False),
        ("CHO", 2.2, True),  # not from carbon
        ("OHC", 2.2, True),
        ("OLiO", 2.2, True),
    ],
)
def test_protons_may_go_over(symbols: str, place: float, broken: bool) -> None:
    atoms = Atoms(symbols, positions=[[0, 0, 0], [0.7, 0, 0], [3.2, 0, 0]])
    bonds = Bonds.of(atoms, 1.25)
    assert len(bonds.lengths) == 1
    assert not bonds.broken(atoms, 2.0, 1.25).any()
    atoms.positions[1, 0] = place
    assert bonds.broken(atoms, 2.0, 1.25).tolist() == [broken]


def test_bonds_follow_atoms_through_the_cell() -> None:
    atoms = Atoms("H2", positions=[[0.1, 0, 0], [3.9, 0, 0]], cell=[4, 4, 4], pbc=True)
    bonds = Bonds.of(atoms, 1.25)
    np.testing.assert_allclose(bonds.lengths, [0.2])
    atoms.positions[0] += [0.2, 0.0, 0.0]
    np.testing.assert_allclose(bonds.stretches(atoms), [2.0])
    assert Bonds.of(atoms, 1.25).keys() == bonds.keys()


def test_bonds_of_ethanol() -> None:
    atoms = molecule("CH3CH2OH")
    assert len(Bonds.of(atoms, 1.25).keys()) == 8
