import gzip
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mlip_core.data.frames import LabelKeys, frame_from_atoms, read_frames, structure_digest
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, labelled, water

HEADER = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="F F F"\n'
H2 = "2\n" + HEADER + "H 0 0 0 0 0 0.1\nH 0 0 0.7 0 0 -0.1\n"
PERIODIC = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=1 Lattice="{}" {}\nH 0 0 0 0 0 0\n'


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.xyz", H2),
        ("windows.xyz", H2.replace("\n", "\r\n")),
        ("packed.xyz.gz", gzip.compress(H2.encode())),
        ("with@1:2.xyz", H2),
    ],
)
def test_good_files(tmp_path: Path, name: str, text: str | bytes) -> None:
    path = write(tmp_path / name, text)
    (frame,) = read_frames(path)
    assert frame.energy == -1.5
    assert frame.forces.tolist() == [[0, 0, 0.1], [0, 0, -0.1]]
    assert frame.stress is None
    assert frame.file == str(path)
    assert frame.index == 0


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


NO_FORCES = "2\nProperties=species:S:1:pos:R:3 energy=1 dft_forces=3\nH 0 0 0\nH 0 0 1\n"
BROKEN = {
    "empty": ("", "the file is empty"),
    "blank lines": ("\n\n", "no structure found"),
    "no forces": (
        H2 + NO_FORCES,
        'no forces under key "forces"; the keys there are dft_forces, energy; set forces_key',
    ),
    "no energy": (
        H2.replace(" energy", " E"),
        'frame 0: no energy under key "energy"; the keys there are E, forces; set energy_key',
    ),
    "truncated": (H2 + "2\n" + HEADER + "H 0 0 0 0 0 0\n", "frame 1 cannot be read"),
    "missing column": (H2.replace("0 0 0 0 0 0.1", "0 0 0"), "frame 0 cannot be read"),
    "unknown element": (H2.replace("\nH", "\nQq"), "frame 0 cannot be read .*'Qq'"),
    "dummy element": (H2.replace("\nH", "\nX"), "frame 0: has an atom of unknown element"),
    "NaN position": (H2.replace("0.7", "nan"), "frame 0: a position is not finite"),
    "NaN forces": (H2.replace("-0.1", "nan"), 'frame 0: forces under key "forces" is not finite'),
    "infinite energy": (H2.replace("-1.5", "inf"), 'energy under key "energy" is not finite'),
    "energy is a word": (H2.replace("-1.5", "low"), "is not a number: 'low'"),
    "energy is a truth": (H2.replace("-1.5", "T"), "is not a number: True"),
    "energy is a list": (H2.replace("-1.5", '"1 2"'), r"energy .* has shape \(2,\)"),
    "no atoms": ("0\n" + HEADER, "frame 0: has no atoms"),
    "no number of atoms": ("hello\nworld\n", "frame 0 cannot be read"),
    "not text": (b"\xff\xfe\x00\x81" * 20, "frame 0 cannot be read"),
    "flat cell": ("1\n" + PERIODIC.format("3 0 0 0 3 0 3 3 0", ""), "not independent"),
    "no cell": (H2.replace("F F F", "T T T"), "cell vectors are zero or not independent"),
    "NaN cell": ("1\n" + PERIODIC.format("3 0 0 0 3 0 0 0 nan", ""), "the cell is not finite"),
    "5 numbers of stress": (
        "1\n" + PERIODIC.format("3 0 0 0 3 0 0 0 3", 'sigma="1 2 3 4 5"'),
        r'stress under key "sigma" has shape \(5,\)',
    ),
    "stress not symmetric": (
        "1\n" + PERIODIC.format("3 0 0 0 3 0 0 0 3", 'sigma="1 2 3 4 5 6 7 8 9"'),
        'stress under key "sigma" is not symmetric',
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_in_one_line(tmp_path: Path, case: str) -> None:
    text, message = BROKEN[case]
    path = write(tmp_path / "bad.xyz", text)
    with pytest.raises(UserError, match=message) as error:
        read_frames(path, LabelKeys(stress_key="sigma"))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_frames(tmp_path / "missing.xyz")
    with pytest.raises(UserError, match="is a directory"):
        read_frames(tmp_path)
    with pytest.raises(UserError, match="not a format that ASE reads"):
        read_frames(write(tmp_path / "notes.foo", "bla"))
    packed = gzip.compress(H2.encode())[:-12]
    with pytest.raises(UserError, match="frame 0 cannot be read"):
        read_frames(write(tmp_path / "cut.xyz.gz", packed))


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
