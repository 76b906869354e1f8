"""Constant-energy dynamics with ASE's own EMT potential, and with one that is wrong on purpose."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.md.verlet import VelocityVerlet

from mlip_core.physics.config import NveConfig
from mlip_core.physics.dynamics import draw_velocities, internal_temperature
from mlip_core.physics.nve import NveTrajectory, check_nve, run_nve
from mlip_core.physics.subject import Subject, named
from mlip_core.utils.seeds import derive_seed
from tests.physics.potentials import FrictionEmt, Repulsion, Undefined

SHORT = NveConfig(time_fs=100.0, timestep_fs=2.0, sample_interval_steps=2)
LONGER = NveConfig(time_fs=400.0, timestep_fs=2.0, max_drift_mev_per_atom=0.1)


@pytest.fixture
def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    return atoms


def test_conservative_forces_pass(copper: Atoms) -> None:
    result = check_nve(EMT(), Subject([copper]), LONGER, seed=0)
    assert result.passed
    drift, deviation, temperature, time = result.quantities
    assert drift.value is not None
    assert drift.value == run_nve(EMT(), copper, LONGER, seed=0).drift_mev_per_atom
    assert abs(drift.value) < 0.1
    assert deviation.value is not None
    assert deviation.value < 0.5
    assert temperature.passed is None
    assert time.value == 400.0
    assert set(result.table["structure"]) == {"Cu32"}


def test_forces_that_do_not_belong_to_the_energy_fail(copper: Atoms) -> None:
    assert check_nve(FrictionEmt(), Subject([copper]), LONGER, seed=0).passed is False


def test_trace_is_that_of_velocity_verlet(copper: Atoms) -> None:
    """Replays the trajectory by hand."""
    config = SHORT.model_copy(update={"start": "given"})
    trace = run_nve(EMT(), copper, config, seed=3).trace

    atoms = copper.copy()
    atoms.calc = EMT()
    draw_velocities(atoms, config.temperature_kelvin, derive_seed(3, "nve velocities"))
    dynamics = VelocityVerlet(atoms, timestep=2.0 * units.fs)
    expected = [atoms.get_total_energy()]
    for _ in range(25):
        dynamics.run(2)
        expected.append(atoms.get_total_energy())

    np.testing.assert_allclose(trace["total_energy_ev"], expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(trace["time_fs"], np.arange(0.0, 101.0, 4.0))


def test_seed_decides_everything(copper: Atoms) -> None:
    first, again, other = (run_nve(EMT(), copper, SHORT, seed=s).trace for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not np.allclose(first["potential_energy_ev"], other["potential_energy_ev"])


def test_structure_is_not_changed(copper: Atoms) -> None:
    copper.set_constraint(FixAtoms([0]))
    before = copper.copy()
    run_nve(EMT(), copper, SHORT, seed=1)
    np.testing.assert_array_equal(copper.positions, before.positions)
    np.testing.assert_array_equal(copper.get_momenta(), before.get_momenta())
    assert copper.calc is None


@pytest.mark.parametrize("name", ["H2O", "CO2", "O2"])
def test_velocities_of_a_molecule(name: str) -> None:
    atoms = molecule(name)
    draw_velocities(atoms, 350.0, seed=7)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(atoms.get_angular_momentum(), 0.0, atol=1e-10)
    assert internal_temperature(atoms) == pytest.approx(350.0, rel=1e-12)


def test_degrees_of_freedom_enter_the_temperature() -> None:
    """Linear CO2 has 3N - 5 = 4 internal ones: kinetic energy 4/2 kT."""
    atoms = molecule("CO2")
    draw_velocities(atoms, 300.0, seed=0)
    assert atoms.get_kinetic_energy() == pytest.approx(2.0 * units.kB * 300.0, rel=1e-12)


def test_relaxed_start_has_the_configured_mean_temperature(copper: Atoms) -> None:
    config = NveConfig(temperature_kelvin=200.0, time_fs=1000.0, timestep_fs=5.0)
    trace = run_nve(EMT(), copper, config, seed=0).trace
    assert trace["temperature_kelvin"].iloc[0] == pytest.approx(400.0)
    assert trace["temperature_kelvin"].iloc[50:].mean() == pytest.approx(200.0, rel=0.1)


def test_explosion_ends_the_run_and_fails() -> None:
    config = NveConfig(time_fs=500.0, timestep_fs=1.0, start="given")
    result = check_nve(Repulsion(), Subject([molecule("H2O")]), config, seed=0)
    assert result.passed is False
    assert result.note.startswith("H2O: temperature reached")
    assert result.quantities[0].value is None
    assert result.table["time_fs"].iloc[-1] < 500.0


def test_forces_that_are_no_numbers_end_the_run(copper: Atoms) -> None:
    config = NveConfig(time_fs=50.0, start="given")
    result = check_nve(Undefined(), Subject([copper]), config, seed=0)
    assert result.passed is False
    assert "no longer finite" in result.note


def test_drift_is_slope_times_length() -> None:
    time = np.linspace(0.0, 1000.0, 11)
    wave = 4.0 * np.array([0, 1, 0, -1, 0, 0, 0, -1, 0, 1, 0])  # even about the middle: no slope
    trace = pd.DataFrame({"time_fs": time, "total_energy_mev_per_atom": 0.0005 * time + wave})
    assert NveTrajectory(trace, "").drift_mev_per_atom == pytest.approx(0.5, abs=1e-9)


def test_quantities_of_several_structures_say_whose_they_are(copper: Atoms) -> None:
    subject = Subject(named([copper, molecule("H2O")]))
    result = check_nve(EMT(), subject, SHORT.model_copy(update={"time_fs": 8.0}), seed=0)
    names = [quantity.name for quantity in result.quantities]
    assert {"drift, Cu32", "drift, H2O"} <= set(names)
    assert len(names) == 8
    assert set(result.table["structure"]) == {"Cu32", "H2O"}


def test_config_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="time_fs"):
        NveConfig(time_fs=0.5, timestep_fs=1.0, sample_interval_steps=2)
