"""The program `mlip-core`: its commands on real files, and mistakes in one line each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

from mlip_core.cli.main import app
from mlip_core.simulation.ase import ForceFieldCalculator

MODEL = Path(__file__).parents[1] / "golden" / "zips" / "visnet.zip"
PROGRAM = Path(sys.executable).with_name("mlip-core")
COMMANDS = ["predict", "relax", "md", "info", "validate-data", "convert", "export", "benchmark"]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working directory with structures whose labels are the model's own predictions."""
    monkeypatch.chdir(tmp_path)
    frames = []
    for index, name in enumerate(["CH3CH2OH", "CH3OH", "H2O"]):
        atoms = molecule(name)
        atoms.rattle(0.03, seed=index)
        frames.append(atoms)
    solid = Atoms("CO", positions=[[0, 0, 0], [1.3, 0.1, 0]], cell=[3.1, 3.3, 3.5], pbc=True)
    ase.io.write(tmp_path / "frames.xyz", [*frames, solid])
    return tmp_path


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture(scope="module")
def calculator() -> ForceFieldCalculator:
    return ForceFieldCalculator(MODEL)


def test_predictions_are_those_of_the_calculator(here, calculator):
    text = run("predict", MODEL, "frames.xyz", "-o", "out.xyz")
    assert "4 structures, 20 atoms -> out.xyz" in text
    predicted = ase.io.read(here / "out.xyz", ":")
    for atoms, frame in zip(predicted, ase.io.read(here / "frames.xyz", ":"), strict=True):
        frame.calc = calculator
        np.testing.assert_allclose(atoms.info["MLIP_energy"], frame.get_potential_energy(), 1e-7)
        np.testing.assert_allclose(atoms.arrays["MLIP_forces"], frame.get_forces(), atol=1e-5)
        assert ("MLIP_stress" in atoms.info) == frame.pbc.all()


def test_labels_under_another_key_are_told(here):
    assert "--label" not in run("predict", MODEL, "frames.xyz", "-o", "out.xyz")
    hint = "there is MLIP_energy, MLIP_interaction_energy: name the right one with --label"
    assert hint in run("predict", MODEL, "out.xyz", "-o", "b.xyz")
    named = ("--label", "energy_key=MLIP_energy")
    assert hint not in run("predict", MODEL, "out.xyz", "-o", "c.xyz", *named)


def test_errors_of_labels(here):
    run("predict", MODEL, "frames.xyz", "-o", "out.xyz")
    labels = ["--label", "energy_key=MLIP_energy", "--label", "forces_key=MLIP_forces"]
    errors = json.loads(run("predict", MODEL, "out.xyz", "-o", "b.xyz", "--json", *labels))[
        "errors"
    ]
    assert errors["energy"]["rmse"] == pytest.approx(0, abs=1e-6)
    assert errors["forces"]["max"] == pytest.approx(0, abs=1e-5)
    scaled = [*labels, "--label", "energy_unit=kJ/mol", "--label", "forces_unit=eV/Angstrom"]
    errors = json.loads(run("predict", MODEL, "out.xyz", "-o", "c.xyz", "--json", *scaled))[
        "errors"
    ]
    frames = ase.io.read(here / "out.xyz", ":")
    factor = 1 - 1 / 96.48533212331
    expected = [factor * atoms.info["MLIP_energy"] / len(atoms) for atoms in frames]
    assert errors["energy"]["mae"] == pytest.approx(np.mean(np.abs(expected)), rel=1e-6)
    assert errors["energy"]["rmse"] == pytest.approx(
        np.sqrt(np.mean(np.square(expected))), rel=1e-6
    )
    assert errors["forces"]["max"] == pytest.approx(0, abs=1e-5)


def test_relaxation(here, calculator):
    text = run("relax", MODEL, "frames.xyz", "-o", "out.xyz", "--steps", "2", "--json", status=3)
    rows = json.loads(text)["structures"]
    assert [row["structure"] for row in rows] == [f"frames.xyz:{index}" for index in range(4)]
    relaxed = ase.io.read(here / "out.xyz", ":")
    for row, atoms in zip(rows, relaxed, strict=True):
        assert row["energy_ev"] == atoms.get_potential_energy()
        calculator.calculate(atoms, ["energy"])
        assert calculator.results["energy"] == pytest.approx(row["energy_ev"], rel=1e-8)
        assert row["steps"] == 2 or row["converged"]
    starts = ase.io.read(here / "frames.xyz", ":")
    calculator.calculate(starts[0], ["energy"])
    change = rows[0]["energy_ev"] - calculator.results["energy"]
    assert rows[0]["energy_change_ev"] == pytest.approx(change, abs=1e-6)


def test_relaxation_of_a_cell(here):
    ase.io.write(here / "solid.xyz", ase.io.read(here / "frames.xyz", "3"))
    run("relax", MODEL, "solid.xyz", "-o", "out.xyz", "--cell", "--steps", "2", "--fmax", "1e6")
    run("relax", MODEL, "solid.xyz", "-o", "moved.xyz", "--cell", "--steps", "2", status=3)
    before, after = (ase.io.read(here / name).cell for name in ("out.xyz", "moved.xyz"))
    assert not np.allclose(before, after)


@pytest.mark.parametrize(("engine", "steps"), [("ase", [0, 2, 4, 6, 8]), ("jax-md", [0, 2, 4, 6])])
def test_dynamics_and_their_restart(here, engine, steps):
    common = ["--engine", engine, "--interval", "2", "--seed", "3"]
    run("md", MODEL, "frames.xyz", "-o", "whole.xyz", "--steps", "8", *common)
    first = ["--steps", "4", "--save-state", "state.npz"]
    run("md", MODEL, "frames.xyz", "-o", "first.xyz", *first, *common)
    rest = ["--steps", "8", "--restart", "state.npz", "--json"]
    about = json.loads(run("md", MODEL, "frames.xyz", "-o", "rest.xyz", *rest, *common))
    assert about["steps"] == 8
    whole, rest = (ase.io.read(here / name, ":") for name in ("whole.xyz", "rest.xyz"))
    assert [atoms.info["step"] for atoms in whole] == steps
    assert rest[-1].info["step"] == whole[-1].info["step"]
    np.testing.assert_array_equal(rest[-1].positions, whole[-1].positions)
    assert not np.allclose(whole[0].positions, whole[-1].positions)


def test_constant_energy(here):
    settings = ["--ensemble", "nve", "--timestep", "0.25", "--steps", "20", "--engine", "ase"]
    run("md", MODEL, "frames.xyz", "-o", "nve.xyz", "--interval", "1", "--frame", "1", *settings)
    frames = ase.io.read(here / "nve.xyz", ":")
    potential = np.array([atoms.get_potential_energy() for atoms in frames])
    kinetic = [1.5 * 6 * 8.617333e-5 * atoms.info["temperature_kelvin"] for atoms in frames]
    assert np.ptp(potential + kinetic) < 0.1 * np.ptp(potential)


def test_what_is_in_a_zip(here):
    about = json.loads(run("info", MODEL, "--json"))
    with np.load(_member(MODEL, "params.npz")) as arrays:
        n_parameters = sum(arrays[name].size for name in arrays.files)
    assert about["n_parameters"] == n_parameters
    assert about["architecture"] == "visnet"
    assert about["elements"] == ["H", "C", "O"]
    assert about["cutoff_angstrom"] == 3.0
    text = run("info", MODEL)
    assert "num_channels" in text
    assert "-1029.25" in text


def _member(path: Path, name: str):
    import io
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(name))


def test_conversion_keeps_every_digit(here):
    frames = ase.io.read(here / "frames.xyz", ":")
    rng = np.random.default_rng(0)
    for atoms in frames:
        atoms.positions += rng.normal(scale=1e-3, size=atoms.positions.shape)
        results = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3))}
        results |= {"stress": rng.normal(size=6)} if atoms.pbc.all() else {}
        atoms.calc = SinglePointCalculator(atoms, **results)
    ase.io.write(here / "labelled.traj", frames)
    counts = "4 structures (energy in 4, forces in 4, stress in 1)"
    assert counts in run("convert", "labelled.traj", "-o", "a.h5")
    assert counts in run("convert", "a.h5", "-o", "b.xyz")
    run("convert", "b.xyz", "-o", "c.h5")
    for atoms, again in zip(frames, ase.io.read(here / "b.xyz", ":"), strict=True):
        np.testing.assert_array_equal(again.positions, atoms.positions)
        np.testing.assert_array_equal(again.get_forces(), atoms.get_forces())
        assert again.get_potential_energy() == atoms.get_potential_energy()
        np.testing.assert_array_equal(again.pbc, atoms.pbc)
        if atoms.pbc.all():
            np.testing.assert_array_equal(again.get_stress(), atoms.get_stress())
            np.testing.assert_array_equal(again.cell.array, atoms.cell.array)


def test_findings_of_data(here):
    frames = [molecule("H2O") for _ in range(6)]
    for index, atoms in enumerate(frames):
        atoms.rattle(0.02, seed=index)
        forces = np.zeros((3, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-14.0 + 0.01 * index, forces=forces)
    ase.io.write(here / "good.xyz", frames)
    assert "structures    6" in run("validate-data", "good.xyz")
    frames[4].calc.results["forces"] = np.array([[999.0, 0, 0], [-999.0, 0, 0], [0, 0, 0]])
    ase.io.write(here / "bad.xyz", frames)
    text = run("validate-data", "bad.xyz", status=1)
    assert "large_forces" in text
    assert "bad.xyz: frame 4" in text
    report = json.loads(run("validate-data", "bad.xyz", "--json", status=1))
    assert "large_forces" in [finding["check"] for finding in report["findings"]]


def test_cost(here):
    rows = json.loads(run("benchmark", MODEL, "--sizes", "2,20", "--steps", "2", "--json"))["rows"]
    small, large = (row["n_atoms"] for row in rows)
    assert small == 3
    assert large >= 20
    assert all(row["steps_per_second"] > 0 for row in rows)


MISTAKES = [
    (["predict", "none.zip", "frames.xyz", "-o", "o.xyz"], "none.zip: no such file"),
    (["predict", "frames.xyz", "frames.xyz", "-o", "o.xyz"], "frames.xyz: "),
    (["predict", MODEL, "none.xyz", "-o", "o.xyz"], "none.xyz: no such file"),
    (["predict", MODEL, "frames.xyz", "-o", "o.cif"], "o.cif: the name must end with .xyz"),
    (["predict", MODEL, "frames.xyz", "-o", "frames.xyz"], "frames.xyz: is an input as well"),
    (["predict", MODEL, "frames.xyz", "-o", "there.xyz"], "there.xyz: is there already"),
    (["predict", MODEL, "gold.xyz", "-o", "o.xyz"], "gold.xyz: frame 0"),
    (["predict", MODEL, "frames.xyz", "-o", "o.xyz", "--label", "x=1"], "--label x=1: not KEY="),
    (
        ["predict", MODEL, "frames.xyz", "-o", "o.xyz", "--label", "energy_unit=stone"],
        "--label energy_unit",
    ),
    (["relax", MODEL, "gold.xyz", "-o", "o.xyz"], "the model knows no atomic number [79]"),
    (["relax", MODEL, "frames.xyz", "-o", "o.xyz", "--cell"], "frame 0: is not periodic"),
    (["md", MODEL, "frames.xyz", "-o", "o.xyz", "--frame", "9"], "has no frame 9"),
    (["md", MODEL, "frames.xyz", "-o", "o.xyz", "--steps", "7"], "--steps 7: must be a multiple"),
    (["md", MODEL, "gold.xyz", "-o", "o.xyz"], "gold.xyz: "),
    (["info", "frames.xyz"], "frames.xyz: "),
    (["convert", "frames.xyz", "-o", "o.db"], "o.db: the name must end with"),
    (["convert", "frames.xyz", "-o", "there.xyz"], "there.xyz: is there already"),
    (["convert", "frames.xyz", "-o", "no/../frames.xyz"], "is an input as well"),
    (["export", MODEL, "-o", "o.zip", "--platforms", "abacus"], "platforms: ['abacus']"),
    (["validate-data", "frames.xyz", "--require", "charm"], "charm is not one of energy"),
    (["validate-data", "frames.xyz"], "frames.xyz: frame 0"),
    (["benchmark", MODEL, "--sizes", "many"], "--sizes many: must be whole numbers"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: str(value)[-40:])
def test_mistakes_end_in_one_line(here, arguments, message):
    ase.io.write(here / "gold.xyz", bulk("Au", cubic=True))
    (here / "there.xyz").write_text("kept")
    before = sorted(path.name for path in here.iterdir())
    text = run(*arguments, status=1)
    assert message in text
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    assert sorted(path.name for path in here.iterdir()) == before
    assert (here / "there.xyz").read_text() == "kept"


def test_output_is_overwritten_when_asked(here):
    (here / "there.xyz").write_text("old")
    run("convert", "frames.xyz", "-o", "there.xyz", "--force")
    assert len(ase.io.read(here / "there.xyz", ":")) == 4


@pytest.mark.parametrize("arguments", [["predict"], ["md", "--steps", "-1"], ["fly"], []])
def test_usage(here, arguments):
    run(*arguments, status=2)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command):
    text = run(command, "--help")
    assert f"  mlip-core {command} " in text


def test_help_names_all_commands():
    text = run("--help")
    assert all(f"  {command} " in text for command in COMMANDS)


def test_installed_program(here):
    done = subprocess.run(
        [PROGRAM, "predict", MODEL, "frames.xyz", "-o", "out.xyz", "--threads", "1"],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(here / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "4 structures" in done.stdout
    done = subprocess.run([PROGRAM, "info", "none.zip"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: none.zip: no such file; expected a model zip\n"


def test_help_is_there_at_once():
    """Without JAX, NumPy or ASE; in processor time, since the machine may be busy."""
    program = (
        "import sys; sys.argv = ['mlip-core', '--help']\n"
        "from mlip_core.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: assert not {'jax', 'numpy', 'ase', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert _processor_seconds([PROGRAM, "--version"]) < 0.6


def _processor_seconds(command: list) -> float:
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_completion_is_offered():
    environment = os.environ | {"_MLIP_CORE_COMPLETE": "complete_bash", "COMP_WORDS": "mlip-core "}
    done = subprocess.run(
        [PROGRAM], capture_output=True, text=True, env=environment | {"COMP_CWORD": "1"}
    )
    assert set(COMMANDS) <= set(done.stdout.split())
