"""Constant-energy dynamics with ASE's own EMT potential, and with one that is wrong on purpose."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.md.verlet import VelocityVerlet

from mlip_core.simulation.nve import (
    NveConfig,
    NveResult,
    draw_velocities,
    internal_temperature,
    run_nve,
    write_nve,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed

SHORT = NveConfig(time_fs=100.0, timestep_fs=2.0, sample_interval_steps=2)


class FrictionEmt(EMT):
    """EMT whose forces do not belong to its energy: too strong by a factor."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        self.results["forces"] = self.results["forces"] * 1.05


class Repulsion(Calculator):
    """A potential without a bound: atoms fly apart with a force that grows with time's square."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        assert self.atoms is not None
        positions = self.atoms.positions - self.atoms.positions.mean(axis=0)
        self.results = {"energy": -5.0 * float((positions**2).sum()), "forces": 10.0 * positions}


@pytest.fixture
def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    return atoms


def test_conservative_forces_pass(copper: Atoms) -> None:
    result = run_nve(EMT(), copper, NveConfig(time_fs=400.0, timestep_fs=2.0), seed=0)
    assert result.passed
    assert abs(result.drift_mev_per_atom) < 0.1
    assert result.max_deviation_mev_per_atom < 0.5


def test_forces_that_do_not_belong_to_the_energy_fail(copper: Atoms) -> None:
    config = NveConfig(time_fs=400.0, timestep_fs=2.0, max_drift_mev_per_atom=0.1)
    assert run_nve(EMT(), copper, config, seed=0).passed
    assert not run_nve(FrictionEmt(), copper, config, seed=0).passed


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


def test_explosion_ends_the_run(copper: Atoms) -> None:
    config = NveConfig(time_fs=500.0, timestep_fs=1.0, start="given")
    result = run_nve(Repulsion(), molecule("H2O"), config, seed=0)
    assert not result.passed
    assert result.explosion is not None
    assert result.explosion.startswith("temperature reached")
    assert result.trace["time_fs"].iloc[-1] < 500.0


def test_drift_is_slope_times_length() -> None:
    time = np.linspace(0.0, 1000.0, 11)
    wave = 0.004 * np.array([0, 1, 0, -1, 0, 0, 0, -1, 0, 1, 0])  # even about the middle: no slope
    energy = -5.0 + 0.002 * time / 1000.0 + wave
    result = _result(pd.DataFrame({"time_fs": time, "total_energy_ev": energy}))
    assert result.drift_mev_per_atom == pytest.approx(0.5, abs=1e-9)
    assert result.max_deviation_mev_per_atom == pytest.approx((0.0018 + 0.004) / 4 * 1000)


def _result(trace: pd.DataFrame) -> NveResult:
    return NveResult(NveConfig(), seed=0, formula="X4", n_atoms=4, trace=trace, explosion=None)


def test_files(copper: Atoms, tmp_path: Path) -> None:
    result = run_nve(EMT(), copper, SHORT, seed=1)
    write_nve(tmp_path, result)
    summary = json.loads((tmp_path / "nve.json").read_text())
    trace = pd.read_csv(tmp_path / "nve.csv")
    pd.testing.assert_frame_equal(trace, result.trace, check_exact=True)
    assert summary["passed"] is True
    assert summary["drift_mev_per_atom"] == result.drift_mev_per_atom
    assert (summary["n_atoms"], summary["formula"]) == (32, "Cu32")
    assert NveConfig.model_validate(summary["config"]) == SHORT


def test_explosion_to_infinity_writes_json(copper: Atoms, tmp_path: Path) -> None:
    trace = pd.DataFrame([[0.0, np.nan, 1.0, np.nan, np.inf]], columns=[*_columns()])
    result = NveResult(NveConfig(), 0, "X", 1, trace, explosion="energy not finite")
    write_nve(tmp_path, result)
    assert json.loads((tmp_path / "nve.json").read_text())["drift_mev_per_atom"] is None


def _columns() -> list[str]:
    return [
        "time_fs",
        "potential_energy_ev",
        "kinetic_energy_ev",
        "total_energy_ev",
        "temperature_kelvin",
    ]


def test_one_atom_is_a_user_error() -> None:
    with pytest.raises(UserError, match="at least 2 atoms, Cu has 1"):
        run_nve(EMT(), Atoms("Cu"), SHORT, seed=0)


def test_config_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="time_fs"):
        NveConfig(time_fs=0.5, timestep_fs=1.0, sample_interval_steps=2)
