"""The table of checks, and what they are as files."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculatorError
from ase.calculators.emt import EMT

from mlip_core.physics import CHECKS, Quantity, Subject, measure_reference, run_check, write_result
from mlip_core.physics.config import PhysicsConfig, VibrationsConfig
from mlip_core.physics.subject import measure_distances, named
from mlip_core.utils.errors import UserError

CONFIGS = PhysicsConfig(
    nve={"time_fs": 20.0}, stability={"time_fs": 20.0, "trajectories": 1}, dimers={"points": 20}
).checks


class Broken(EMT):
    def calculate(self, *args: Any, **kwargs: Any) -> None:
        raise CalculatorError("no\n convergence")


@pytest.fixture
def subject() -> Subject:
    structures = named([molecule("C2H6"), bulk("Cu", cubic=True)])
    return Subject(structures, *measure_distances(structures, 4.0), cutoff=4.0)


def test_each_check_has_settings_and_each_settings_a_check() -> None:
    assert {name: type(config) for name, config in CONFIGS.items()} == {
        name: check.config for name, check in CHECKS.items()
    }
    assert {name for name, check in CHECKS.items() if check.measure} == {
        name for name, config in CONFIGS.items() if config.has_reference
    }


def test_gates_are_settings_that_do_not_change_what_is_measured() -> None:
    for config in CONFIGS.values():
        assert config.gates <= type(config).model_fields.keys()
        assert config.gates


@pytest.mark.parametrize("name", CHECKS)
def test_files_of_a_check(name: str, subject: Subject, tmp_path: Path) -> None:
    result = run_check(name, EMT, subject, CONFIGS[name], seed=1)
    title = CHECKS[name].title
    for directory in ("first", "second"):
        write_result(tmp_path / directory, name, title, CONFIGS[name], result)
    text = (tmp_path / "first" / f"{name}.json").read_text()
    assert text == (tmp_path / "second" / f"{name}.json").read_text()
    content = json.loads(text)
    assert content.keys() == {
        *("check", "title", "passed", "quantities", "note", "plots", "config"),
    }
    assert (content["check"], content["title"]) == (name, title)
    assert content["passed"] is result.passed
    assert CHECKS[name].config(**content["config"]) == CONFIGS[name]
    assert len({entry["name"] for entry in content["quantities"]}) == len(content["quantities"])
    table = pd.read_csv(tmp_path / "first" / f"{name}.csv")
    assert len(table) == len(result.table)
    for plot in content["plots"]:
        assert {plot["x"], *plot["y"], plot["group"]} <= set(table.columns)


@pytest.mark.parametrize("name", CHECKS)
def test_reference_is_measured_by_the_checks_that_use_it(name: str, subject: Subject) -> None:
    measured = measure_reference(name, EMT(), subject, CONFIGS[name])
    expected = {"equation_of_state": {"Cu4"}, "vibrations": {"C2H6", "Cu4"}}
    assert measured.keys() == expected.get(name, set())
    json.dumps(measured, allow_nan=False)


def test_check_without_a_structure_needs_no_calculator() -> None:
    def load() -> EMT:
        raise AssertionError("nothing to calculate")

    ethane = Subject([molecule("C2H6")])
    result = run_check("equation_of_state", load, ethane, CONFIGS["equation_of_state"], seed=1)
    assert result.passed is None
    assert result.quantities == ()
    small = VibrationsConfig(max_atoms=2)
    assert run_check("vibrations", load, ethane, small, seed=1).passed is None


@pytest.mark.parametrize("name", ["nve", "stability", "equation_of_state", "vibrations"])
def test_calculator_that_fails_is_said_in_one_line(name: str, subject: Subject) -> None:
    with pytest.raises(UserError, match=rf"^physics.{name}: .*failed \(no convergence\)"):
        run_check(name, Broken, subject, CONFIGS[name], seed=1)


def test_checks_that_are_null_are_left_out() -> None:
    assert set(PhysicsConfig(nve=None, dimers=None).checks) == CHECKS.keys() - {"nve", "dimers"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.0])
def test_limits_are_compared_with_sizes_and_not_with_nan(value: float) -> None:
    quantity = Quantity.at_most("drift", value, 1.0)
    assert quantity.passed is False
    assert quantity.value == (-3.0 if value == -3.0 else None)
