"""Exported models run where this package is not, and give its numbers."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mlip_core.export import export_force_field
from mlip_core.models.model_io import load_model
from mlip_core.simulation.ase import ForceFieldCalculator
from mlip_core.utils.errors import UserError

ROOT = Path(__file__).parents[2]
ZIPS = ROOT / "tests" / "golden" / "zips"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL)

# What runs without this package: the loader of the page on structures from a file.
PROGRAM = """
import sys
sys.modules["mlip_core"] = None  # importing it would fail
{loader}
import ase.io, json
from ase.neighborlist import neighbor_list
model = ExportedModel(sys.argv[1])
results = []
for atoms in ase.io.read(sys.argv[2], ":"):
    senders, receivers, shifts = neighbor_list("ijS", atoms, model.about["cutoff_angstrom"])
    energy, forces, stress = model(
        atoms.numbers, atoms.positions, atoms.cell.array, senders, receivers, shifts
    )
    results.append([energy, forces.tolist(), stress.tolist()])
print(json.dumps(results))
"""


def structures() -> list[Atoms]:
    """Molecules, a crystal with more images than atoms, and an atom alone."""
    ethanol, water = molecule("CH3CH2OH"), molecule("H2O")
    solid = Atoms("CO", positions=[[0, 0, 0], [1.3, 0.1, 0]], cell=[3.1, 3.3, 3.5], pbc=True)
    for seed, atoms in enumerate((ethanol, water, solid)):
        atoms.rattle(0.05, seed=seed)
    return [ethanol, water, solid, Atoms("H")]


@pytest.mark.parametrize("architecture", ["mace", "nequip", "visnet"])
def test_numbers_of_the_loader_are_those_of_the_force_field(architecture, tmp_path):
    force_field = load_model(ZIPS / f"{architecture}.zip")
    export_force_field(force_field, tmp_path / "model.zip")
    ase.io.write(tmp_path / "structures.traj", structures())
    (tmp_path / "program.py").write_text(PROGRAM.format(loader=BLOCKS[0]))
    done = subprocess.run(
        [sys.executable, "program.py", "model.zip", "structures.traj"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    calculator = ForceFieldCalculator(force_field)
    for atoms, (energy, forces, stress) in zip(structures(), json.loads(done.stdout), strict=True):
        atoms.calc = calculator
        np.testing.assert_allclose(energy, atoms.get_potential_energy(), rtol=1e-6)
        scale = max(1.0, np.abs(forces).max())
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-6 * scale, rtol=1e-6)
        if atoms.pbc.all():
            expected = atoms.get_stress(voigt=False)
            # The sum of many terms of both signs, in float32 and in another order.
            np.testing.assert_allclose(stress, expected, atol=1e-5 * np.abs(expected).max())
        else:
            assert not np.any(stress)


def test_same_bytes_and_no_paths_in_them(tmp_path):
    force_field = load_model(ZIPS / "nequip.zip")
    export_force_field(force_field, tmp_path / "a.zip")
    export_force_field(load_model(ZIPS / "nequip.zip"), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert b".py" not in archive.read("model.stablehlo")
        about = json.loads(archive.read("model.json"))
    assert about["platforms"] == ["cpu", "cuda"]
    assert about["atomic_numbers"] == [1, 6, 8]


@pytest.mark.parametrize("platforms", [(), ("abacus",)])
def test_platforms_that_are_none(tmp_path, platforms):
    with pytest.raises(UserError, match="choose from cpu, cuda, rocm"):
        export_force_field(load_model(ZIPS / "nequip.zip"), tmp_path / "a.zip", platforms)
    assert not (tmp_path / "a.zip").exists()


def test_the_page_names_what_the_file_takes():
    assert len(BLOCKS[0].splitlines()) <= 40
    compile(BLOCKS[1], "docs/export.md", "exec")
