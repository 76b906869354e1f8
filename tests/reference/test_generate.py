"""Reference data: real calculators, deterministic bytes, numbers that survive the file."""

import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_core.reference import (
    ReferenceConfig,
    generate_part,
    join_parts,
    reference_parts,
    write_extxyz,
)
from mlip_core.utils.errors import UserError

EMT_PATH = "ase.calculators.emt.EMT"


def dynamics_config(**dynamics: object) -> ReferenceConfig:
    return ReferenceConfig.model_validate(
        {
            "calculator": EMT_PATH,
            "dynamics": {
                "structure": "C2H6",
                "temperatures_kelvin": [300],
                "frames_per_trajectory": 5,
                "spacing_fs": 4,
                "equilibration_fs": 20,
                **dynamics,
            },
        }
    )


def generate(config: ReferenceConfig, seed: int = 1) -> dict[str, list[Atoms]]:
    return {part.name: generate_part(part, seed) for part in reference_parts(config)}


def test_parts_are_atoms_then_each_temperature_and_replica() -> None:
    config = dynamics_config(temperatures_kelvin=[300, 450.5], trajectories_per_temperature=2)
    config = config.model_copy(update={"isolated_atoms": True})
    names = [part.name for part in reference_parts(config)]
    assert names == ["isolated-atoms", "300K-0", "300K-1", "450.5K-0", "450.5K-1"]


def test_frames_have_the_labels_of_their_calculator() -> None:
    frames = generate(dynamics_config())["300K-0"]
    assert len(frames) == 5
    for frame in frames:
        expected = Atoms(frame.numbers, frame.positions, calculator=EMT())
        assert frame.get_potential_energy() == expected.get_potential_energy()
        np.testing.assert_array_equal(frame.get_forces(), expected.get_forces())
        assert frame.info == {
            "config_type": "md",
            "temperature": 300.0,
            "trajectory": "300K-0",
        }


def test_trajectories_differ_and_do_not_depend_on_each_other() -> None:
    both = generate(dynamics_config(trajectories_per_temperature=2))
    alone = generate(dynamics_config())
    np.testing.assert_array_equal(both["300K-0"][-1].positions, alone["300K-0"][-1].positions)
    assert np.abs(both["300K-0"][-1].positions - both["300K-1"][-1].positions).max() > 0.01
    other_seed = generate(dynamics_config(), seed=2)
    assert np.abs(other_seed["300K-0"][0].positions - alone["300K-0"][0].positions).max() > 0.01


def test_free_particles_diffuse_as_langevin_says() -> None:
    """Mean square displacement in a time t: (2 kT / m gamma) (t - (1 - exp(-gamma t)) / gamma)."""
    config = dynamics_config(
        structure="C60",
        frames_per_trajectory=60,
        spacing_fs=50,
        equilibration_fs=0,
        friction_per_fs=0.1,
    )
    config = config.model_copy(update={"calculator": "ase.calculators.idealgas.IdealGas"})
    positions = np.array([frame.positions for frame in generate(config)["300K-0"]])
    measured = np.mean(np.square(np.diff(positions, axis=0)))
    friction, time = 0.1 / units.fs, 50 * units.fs
    mass = Atoms("C").get_masses()[0]
    diffusion = units.kB * 300 / (mass * friction)
    expected = 2 * diffusion * (time - (1 - np.exp(-friction * time)) / friction)
    assert measured == pytest.approx(expected, rel=0.06)


def test_relaxation_lowers_the_forces_that_dynamics_start_from() -> None:
    still = {"temperatures_kelvin": [1e-6], "frames_per_trajectory": 1, "equilibration_fs": 0}
    relaxed = generate(dynamics_config(relax_steps=200, **still))["1e-06K-0"][0]
    given = generate(dynamics_config(**still))["1e-06K-0"][0]
    assert np.abs(relaxed.get_forces()).max() < 0.1 < np.abs(given.get_forces()).max()


def test_file_gives_back_every_digit(tmp_path: Path) -> None:
    frames = generate(dynamics_config())["300K-0"]
    write_extxyz(tmp_path / "a.extxyz", frames)
    for written, read in zip(frames, ase.io.read(tmp_path / "a.extxyz", ":"), strict=True):
        np.testing.assert_array_equal(written.positions, read.positions)
        np.testing.assert_array_equal(written.get_forces(), read.get_forces())
        assert written.get_potential_energy() == read.get_potential_energy()
        assert read.info["trajectory"] == "300K-0"
        assert not read.pbc.any()


def test_periodic_frame_gives_back_cell_and_stress(tmp_path: Path) -> None:
    atoms = bulk("Cu", a=3.7).repeat(2)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.03, 0], [0, 1, 0], [0.01, 0, 1]]))
    atoms.calc = EMT()
    stress = atoms.get_stress()
    atoms.get_forces()
    write_extxyz(tmp_path / "a.extxyz", [atoms])
    (read,) = ase.io.iread(tmp_path / "a.extxyz")
    np.testing.assert_array_equal(read.cell.array, atoms.cell.array)
    np.testing.assert_array_equal(read.get_stress(), stress)
    assert read.pbc.all()


def test_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    pytest.importorskip("tblite.ase")
    program = (
        "import os, sys\n"
        "from mlip_core.study.runtime import set_one_thread_for_calculators\n"
        "set_one_thread_for_calculators()\n"
        "from mlip_core.reference import *\n"
        "config = ReferenceConfig(calculator='tblite.ase.TBLite',\n"
        "    arguments={'method': 'GFN2-xTB', 'verbosity': 0}, isolated_atoms=True,\n"
        "    dynamics={'structure': 'CH3CH2OH', 'temperatures_kelvin': [500], 'spacing_fs': 10,\n"
        "    'frames_per_trajectory': 10, 'equilibration_fs': 50, 'relax_steps': 5})\n"
        "for part in reference_parts(config):\n"
        "    write_extxyz(f'{sys.argv[1]}/{part.name}.extxyz', generate_part(part, 7))\n"
    )
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True)
        files = sorted((tmp_path / name).iterdir())
        assert [file.name for file in files] == ["500K-0.extxyz", "isolated-atoms.extxyz"]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    free = ase.io.read(tmp_path / "first" / "isolated-atoms.extxyz", ":")
    assert [str(atoms.symbols) for atoms in free] == ["H", "C", "O"]
    # GFN2-xTB energies of the free atoms, eV (xtb --sp, Hartree times 27.2114).
    expected = [-10.7072, -48.8474, -102.5712]
    np.testing.assert_allclose([a.get_potential_energy() for a in free], expected, atol=1e-3)


def test_given_structures_are_labelled_and_old_labels_ignored(tmp_path: Path) -> None:
    atoms = molecule("CH4")
    atoms.calc = SinglePointCalculator(atoms, energy=-999.0, forces=np.ones((5, 3)))
    ase.io.write(tmp_path / "in.xyz", [atoms, molecule("H2O")], format="extxyz")
    config = ReferenceConfig.model_validate(
        {
            "calculator": EMT_PATH,
            "isolated_atoms": True,
            "label": {"files": [str(tmp_path / "in.xyz")]},
        }
    )
    made = generate(config)
    assert [str(atoms.symbols) for atoms in made["isolated-atoms"]] == ["H", "C", "O"]
    expected = molecule("CH4")
    expected.calc = EMT()
    first, second = made["label-0"]
    assert first.get_potential_energy() == pytest.approx(expected.get_potential_energy(), abs=1e-6)
    assert str(second.symbols) == "OH2"


def test_join_keeps_the_order(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(f"{name}\n")
    join_parts([tmp_path / "b", tmp_path / "a"], tmp_path / "joined")
    assert (tmp_path / "joined").read_text() == "b\na\n"


@pytest.mark.parametrize(
    ("calculator", "message"),
    [
        ("EMT", "calculator 'EMT': neither an import path nor a name that .* mean 'emt'"),
        ("tblight.ase.TBLite", "cannot import 'tblight.ase' .*pip install tblight"),
        ("ase.calculators.emt.Emt", "has no 'Emt', did you mean 'EMT'"),
        ("ase.calculators.emt.parameters", "has no 'parameters'"),
        ("ase.calculators.emt.print", "has no 'print'"),
    ],
)
def test_unknown_calculator(calculator: str, message: str) -> None:
    config = dynamics_config().model_copy(update={"calculator": calculator})
    with pytest.raises(UserError, match=message):
        generate(config)


def test_refused_arguments() -> None:
    config = dynamics_config().model_copy(
        update={"calculator": "tblite.ase.TBLite", "arguments": {"method": "GFN9"}}
    )
    pytest.importorskip("tblite.ase")
    with pytest.raises(UserError, match="GFN9"):
        generate(config)


def test_failed_scf_names_part_and_step() -> None:
    pytest.importorskip("tblite.ase")
    arguments = {"method": "GFN2-xTB", "verbosity": 0, "max_iterations": 2}
    config = dynamics_config().model_copy(
        update={"calculator": "tblite.ase.TBLite", "arguments": arguments}
    )
    with pytest.raises(UserError, match=r"reference 300K-0, step 0: .*SCF not converged"):
        generate(config)


def test_numbers_that_are_not_finite_are_an_error() -> None:
    config = dynamics_config(structure="H2").model_copy(
        update={
            "calculator": "ase.calculators.morse.MorsePotential",
            "arguments": {"epsilon": float("nan")},
        }
    )
    with pytest.raises(UserError, match="300K-0, frame 0: positions or labels are not finite"):
        generate(config)


def test_unknown_structure() -> None:
    with pytest.raises(UserError, match="structure 'C2H5OH': neither a file nor a molecule"):
        generate(dynamics_config(structure="C2H5OH"))
