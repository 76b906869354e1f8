"""Systems of several sizes, and the time of steps with them."""

import time
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from mlip_core.data.helpers.neighborhood import get_pairs
from mlip_core.physics import CostConfig, device_of, measure_cost
from mlip_core.physics.cost import replicate


class SlowEmt(EMT):
    """EMT that takes at least 5 ms for each atom."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        time.sleep(0.02 * len(self.atoms))


@pytest.mark.parametrize("copies", [1, 2, 4, 5, 16])
def test_copies_of_a_molecule_are_out_of_reach(copies: int) -> None:
    ethanol = molecule("CH3CH2OH")
    system = replicate(ethanol, copies, cutoff=5.0)
    assert len(system) == copies * 9
    assert not system.pbc.any()
    pairs = get_pairs(system.positions, 5.0)
    assert (pairs.first // 9 == pairs.second // 9).all()
    np.testing.assert_array_equal(system.numbers, np.tile(ethanol.numbers, copies))


def test_supercell_is_compact_and_the_same_crystal() -> None:
    silicon = bulk("Cu", cubic=True)
    cell = replicate(silicon, 8, cutoff=5.0)
    np.testing.assert_allclose(cell.cell.lengths(), 2 * silicon.cell.lengths())
    slab = Atoms("Cu", cell=[2.5, 2.5, 20.0], pbc=[True, True, False])
    assert replicate(slab, 5, cutoff=5.0).cell.lengths().tolist() == [7.5, 5.0, 20.0]


def test_steps_are_timed() -> None:
    config = CostConfig(copies=[1, 4], steps=3)
    first, second = measure_cost(SlowEmt(), molecule("H2O"), 4.0, config, seed=1)
    assert (first["n_atoms"], second["n_atoms"]) == (3, 12)
    assert 0.06 < first["seconds_per_step"] < 0.2
    assert second["seconds_per_step"] > 0.24
    assert first["steps_per_second"] == 1 / first["seconds_per_step"]
    assert first["microseconds_per_atom"] == pytest.approx(1e6 * first["seconds_per_step"] / 3)


def test_sizes_that_take_too_long_or_are_too_large_are_left_out() -> None:
    slow = CostConfig(copies=[1, 2, 4], steps=2, max_seconds_per_step=0.11)
    assert [row["n_atoms"] for row in measure_cost(SlowEmt(), molecule("H2O"), 4.0, slow, 1)] == [
        3,
        6,
    ]
    large = CostConfig(copies=[2, 4], steps=2, max_atoms=4)
    assert [row["n_atoms"] for row in measure_cost(EMT(), molecule("H2O"), 4.0, large, 1)] == [6]


def test_device_of_a_foreign_calculator_is_the_processor() -> None:
    assert device_of(EMT())
