import subprocess
import sys
from pathlib import Path

import ase.db
import ase.io
import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from mlip_core.data.frames import (
    BadFrame,
    Frame,
    LabelKeys,
    frame_from_atoms,
    read_frames,
    read_frames_at,
    scan_frames,
    structure_digest,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, labelled, water

HEADER = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="F F F"\n'
H2 = "2\n" + HEADER + "H 0 0 0 0 0 0.1\nH 0 0 0.7 0 0 -0.1\n"
ALL = ("energy", "forces", "stress")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_frame_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", H2 + H2.replace("pbc", "config_type=hot pbc"))
    first, second = read_frames(path)
    assert first.place == f"{path}: frame 0"
    assert (len(first), first.offset, first.info) == (2, 0, {})
    assert (second.index, second.offset, second.info) == (1, len(H2), {"config_type": "hot"})
    assert second.atoms.info == {"config_type": "hot"}
    assert second.atoms.calc is None
    assert [second.label(name) for name in ("energy", "stress")] == [-1.5, None]


def test_labels_that_ase_moves_into_its_calculator(tmp_path: Path) -> None:
    atoms = labelled(copper(0), stress=True)
    ase.io.write(tmp_path / "a.xyz", atoms)
    (frame,) = read_frames(tmp_path / "a.xyz", require=("energy", "forces", "stress"))
    assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-7)
    np.testing.assert_allclose(frame.stress, atoms.get_stress(voigt=False), atol=1e-12)


def test_other_keys_and_all_forms_of_stress(tmp_path: Path) -> None:
    stress = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    keys = LabelKeys(energy_key="REF_energy", forces_key="REF_forces", stress_key="REF_stress")
    for form in (stress, stress.ravel(), np.arange(1.0, 7.0)):
        atoms = copper(0)
        atoms.info |= {"REF_energy": -7.0, "REF_stress": form}
        atoms.arrays["REF_forces"] = np.ones((8, 3))
        ase.io.write(tmp_path / "a.xyz", atoms)
        (frame,) = read_frames(tmp_path / "a.xyz", keys, require=("energy", "forces", "stress"))
        assert frame.energy == -7.0
        np.testing.assert_array_equal(frame.stress, stress)


def test_labels_not_required_may_be_missing(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.xyz", ethanol(0))
    (frame,) = read_frames(tmp_path / "a.xyz", require=())
    assert frame.energy is frame.forces is frame.stress is None


def test_forces_of_a_free_atom_are_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "atom.xyz", "1\nProperties=species:S:1:pos:R:3 energy=-13.6\nH 0 0 0\n")
    assert read_frames(path)[0].forces.tolist() == [[0, 0, 0]]


def test_several_files_keep_their_order_up_to_the_limit(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.xyz", H2 * 2), write(tmp_path / "2.xyz", H2 * 3)
    places = [(frame.file, frame.index) for frame in read_frames([two, one], limit=4)]
    assert places == [(str(two), 0), (str(two), 1), (str(two), 2), (str(one), 0)]


def trajectory() -> list[ase.Atoms]:
    """Structures of two compositions, with and without a cell."""
    return [labelled(water(0)), labelled(copper(1), stress=True), labelled(water(2))] * 3


def write_hdf5(path: Path, structures: list[ase.Atoms]) -> None:
    with h5py.File(path, "w") as file:
        for index, atoms in enumerate(structures):
            group = file.create_group(f"s{index}")
            group["positions"] = atoms.positions
            group["elements"] = atoms.numbers
            group["forces"] = atoms.get_forces()
            group.attrs["energy"] = atoms.get_potential_energy()
            if atoms.pbc.any():
                group["cell"] = atoms.cell.array
                group["stress"] = atoms.get_stress()


@pytest.fixture(params=["xyz", "xyz.gz", "h5", "traj", "db", "json"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The trajectory in a file of each kind that is read in another way."""
    path = tmp_path / f"a.{request.param}"
    if request.param == "h5":
        write_hdf5(path, trajectory())
    else:
        ase.io.write(path, trajectory())
    return path


def test_every_format_gives_the_same(stored: Path) -> None:
    for atoms, frame in zip(trajectory(), read_frames(stored), strict=True):
        np.testing.assert_array_equal(frame.numbers, atoms.numbers)
        np.testing.assert_allclose(frame.positions, atoms.positions, atol=1e-8)
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-8)
        assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
        assert frame.pbc.tolist() == atoms.pbc.tolist()
        if atoms.pbc.any():
            np.testing.assert_allclose(frame.cell, atoms.cell.array, atol=1e-8)
            np.testing.assert_allclose(frame.stress, atoms.get_stress(voigt=False), atol=1e-12)


def test_frames_at_any_place_in_any_order(stored: Path) -> None:
    frames = read_frames(stored)
    for indices in ([7, 0, 1, 7, 3], [8], []):
        for offsets in (None, [frames[index].offset for index in indices]):
            found = list(read_frames_at(stored, indices, offsets=offsets))
            assert [frame.index for frame in found] == indices
            assert [f.digest for f in found] == [frames[i].digest for i in indices]
            assert [f.energy for f in found] == [frames[i].energy for i in indices]


def test_a_frame_that_is_not_there(stored: Path) -> None:
    with pytest.raises(UserError, match="has no frame 9; the file has changed: check it again"):
        list(read_frames_at(stored, [0, 9]))


def test_a_file_that_has_changed_since_its_offsets_were_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", H2 * 3)
    offsets = [frame.offset for frame in read_frames(path)]
    for changed in ("\n" + H2 * 3, H2.replace("-1.5", "-1.50") * 3, H2):
        write(path, changed)
        with pytest.raises(UserError, match="frame 2 is not where it was; the file has changed"):
            list(read_frames_at(path, [2], offsets=offsets[2:]))


def test_bad_frames_are_passed_by_unless_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", H2 + H2.replace("0.7", "nan") + H2)
    good, bad, last = scan_frames(path)
    assert isinstance(good, Frame)
    assert isinstance(last, Frame)
    message = f"{path}: frame 1: a position is not finite (NaN or infinite); remove the frame"
    assert bad == BadFrame(str(path), 1, len(H2), "not finite", message)
    assert [frame.index for frame in read_frames_at(path, [2, 0])] == [2, 0]
    with pytest.raises(UserError, match="frame 1: a position is not finite"):
        list(read_frames_at(path, [1]))


def test_labels_in_a_database_beside_the_results(tmp_path: Path) -> None:
    database = ase.db.connect(tmp_path / "a.db")
    atoms = water(0)
    database.write(atoms, key_value_pairs={"dft": -3.5}, data={"f": np.ones((3, 3))})
    keys = LabelKeys(energy_key="dft", forces_key="f")
    (frame,) = read_frames(tmp_path / "a.db", keys)
    assert frame.energy == -3.5
    np.testing.assert_array_equal(frame.forces, np.ones((3, 3)))


def test_missing_labels_may_be_masked(tmp_path: Path) -> None:
    text = "2\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\nH 0 0 1\n"
    path = write(tmp_path / "a.xyz", H2 + text + H2.replace("energy", "E"))
    frames = read_frames(path, LabelKeys(missing="mask"))
    assert [frame.energy for frame in frames] == [-1.5, 1.0, None]
    assert [frame.forces is None for frame in frames] == [False, True, False]
    with pytest.raises(UserError, match="frame 1: no forces"):
        read_frames(path)


# CODATA 2022
HARTREE, BOHR = 27.211386245981, 0.529177210544
CELL = 'Lattice="2 0 0 0 4 0 0 0 5" stress="0.1 0 0 0 0.2 0 0 0 0.3" energy'


@pytest.mark.parametrize(
    ("units", "energy", "length", "forces", "stress"),
    [
        ({}, 1, 1, 1, 1),
        ({"energy_unit": "mev"}, 1e-3, 1, 1e-3, 1e-3),
        ({"energy_unit": "Ry"}, HARTREE / 2, 1, HARTREE / 2, HARTREE / 2),
        ({"energy_unit": "kcal/mol"}, 0.0433641, 1, 0.0433641, 0.0433641),
        ({"energy_unit": "kJ/mol"}, 0.01036427, 1, 0.01036427, 0.01036427),
        ({"length_unit": "nm"}, 1, 10, 0.1, 1e-3),
        (
            {"energy_unit": "hartree", "length_unit": "bohr"},
            HARTREE,
            BOHR,
            HARTREE / BOHR,
            HARTREE / BOHR**3,
        ),
        ({"forces_unit": "Hartree/Bohr"}, 1, 1, HARTREE / BOHR, 1),
        ({"forces_unit": "kcal/mol/A"}, 1, 1, 0.0433641, 1),
        ({"stress_unit": "GPa"}, 1, 1, 1, 1 / 160.2176634),
        ({"stress_unit": "kbar", "stress_sign": "compression"}, 1, 1, 1, -1 / 1602.176634),
        ({"stress_unit": "eV/Å³"}, 1, 1, 1, 1),
        ({"stress_unit": "eV"}, 1, 1, 1, -1 / 40),
        ({"stress_unit": "eV", "length_unit": "nm"}, 1, 10, 0.1, -1 / 40e3),
        ({"stress_unit": "Ry", "stress_sign": "tension"}, 1, 1, 1, HARTREE / 2 / 40),
    ],
)
def test_units(
    tmp_path: Path,
    units: dict[str, str],
    energy: float,
    length: float,
    forces: float,
    stress: float,
) -> None:
    """The expected factors are of CODATA 2022, or of tables of units."""
    path = write(tmp_path / "a.xyz", H2.replace("energy", CELL).replace("F F F", "T T T"))
    (frame,) = read_frames(path, LabelKeys(**units), require=ALL)
    assert frame.energy == pytest.approx(-1.5 * energy, rel=1e-6)
    assert frame.positions[1, 2] == pytest.approx(0.7 * length, rel=1e-12)
    np.testing.assert_allclose(frame.cell, np.diag([2, 4, 5]) * length, rtol=1e-12)
    np.testing.assert_allclose(frame.forces[:, 2], [0.1 * forces, -0.1 * forces], rtol=1e-6)
    np.testing.assert_allclose(frame.stress, np.diag([0.1, 0.2, 0.3]) * stress, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("energy_unit", "Hartre", 'unknown unit "Hartre"; did you mean "Hartree"?'),
        ("length_unit", "parsec", 'unknown unit "parsec"; choose from Angstrom, A, Bohr, nm, pm'),
        ("forces_unit", "eV/Angstroem", 'did you mean "eV/Angstrom"?'),
        ("stress_unit", "kBa", 'did you mean "kbar"?'),
        ("stress_sign", "up", "tension"),
        ("missing", "drop", "mask"),
        ("energy", "E", "energy"),
    ],
)
def test_settings_of_labels_that_there_are_not(name: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        LabelKeys(**{name: value})
    assert message in str(error.value)


def test_virial_equals_stress_of_ase(tmp_path: Path) -> None:
    """What ASE writes as stress, and minus volume times it as a virial, are the same."""
    atoms = labelled(copper(0), stress=True)
    stress = atoms.get_stress(voigt=False)
    plain = frame_from_atoms(atoms, require=ALL)
    atoms.info["virials"] = -atoms.get_volume() * stress
    keys = LabelKeys(stress_key="virials", stress_unit="eV")
    np.testing.assert_allclose(frame_from_atoms(atoms, keys).stress, plain.stress, rtol=1e-12)


def test_reading_frames_needs_neither_jax_nor_the_formats_of_ase() -> None:
    code = (
        "import sys, mlip_core.data.frames as f; print({'jax', 'ase.io', 'h5py'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_unknown_label_is_the_programmers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dipole"):
        read_frames(write(tmp_path / "a.xyz", H2), require=("dipole",))


def test_digest_is_of_the_structure_alone() -> None:
    atoms = copper(0)
    digest = structure_digest(atoms)
    assert frame_from_atoms(labelled(atoms)).digest == digest
    moved, other, stretched = atoms.copy(), atoms.copy(), atoms.copy()
    moved.positions[0, 0] += 1e-6
    other.numbers[0] = 47
    stretched.cell[0, 0] += 1e-3
    assert len({digest, *map(structure_digest, (moved, other, stretched))}) == 4


def test_digest_ignores_the_cell_of_a_molecule_and_the_sign_of_zero() -> None:
    atoms = water(0)
    atoms.positions[0] = 0.0
    boxed = atoms.copy()
    boxed.cell = np.eye(3)
    boxed.positions[0] = -0.0
    assert structure_digest(atoms) == structure_digest(boxed)
