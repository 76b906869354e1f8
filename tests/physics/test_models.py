"""Checks of a real network that was never trained: its symmetries hold, its minima do not."""

import pytest
from ase.build import molecule

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Mace
from mlip_core.physics import Subject, device_of
from mlip_core.physics.config import InvarianceConfig, NveConfig, RelaxationConfig, StructuresConfig
from mlip_core.physics.invariance import check_invariance
from mlip_core.physics.nve import check_nve
from mlip_core.physics.relaxation import check_relaxation
from mlip_core.physics.subject import named, relaxed_structures
from mlip_core.simulation.ase import ForceFieldCalculator
from tests.physics.potentials import spring

WATER = Subject(named([molecule("H2O")]))


@pytest.fixture(scope="module")
def network() -> ForceFieldCalculator:
    info = DatasetInfo(atomic_energies_map={1: -13.5, 8: -2042.75}, cutoff_distance_angstrom=3.0)
    config = Mace.Config(num_layers=1, num_channels=2, l_max=1, readout_irreps=("2x0e", "0e"))
    return ForceFieldCalculator(ForceField.from_mlip_network(Mace(config, info)))


def test_symmetries_hold_in_float32(network: ForceFieldCalculator) -> None:
    result = check_invariance(network, WATER, InvarianceConfig(), seed=1)
    assert result.passed
    # In float32, so not exactly.
    assert result.table["force_error_mev_per_angstrom"].max() > 0.0


def test_energy_is_kept(network: ForceFieldCalculator) -> None:
    config = NveConfig(time_fs=50.0, timestep_fs=0.25, start="given")
    assert check_nve(network, WATER, config, seed=1).passed


def test_minimum_is_not_that_of_water(network: ForceFieldCalculator) -> None:
    minima = list(relaxed_structures(WATER.structures, spring(20.0, 1.0), StructuresConfig()))
    result = check_relaxation(network, Subject(minima), RelaxationConfig(), seed=1)
    assert result.passed is False


def test_device_has_a_name(network: ForceFieldCalculator) -> None:
    assert device_of(network)
