"""Which structures of a dataset the physics checks look at."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlip_core.data.frame_index import write_index
from mlip_core.data.frames import LabelKeys
from mlip_core.data.quality import QualityConfig, check_files
from mlip_core.data.splits import SplitConfig, make_split, write_split
from mlip_core.physics.config import StructuresConfig
from mlip_core.physics.subject import Subject, name_of
from mlip_core.study.frames import iterate_split
from mlip_core.study.physics_subject import choose_rows, select_subject
from mlip_core.utils.errors import UserError
from tests.data.structures import labelled

LABELS = LabelKeys()


def frames(name: str, number: int) -> list[Atoms]:
    """Rattled structures with labels; the first of all that are made have the lowest energy."""
    start = bulk(name, cubic=True) if name in ("Cu", "Ni") else molecule(name)
    structures = []
    for seed in range(number):
        atoms = start.copy()
        atoms.rattle(0.02 + 0.02 * seed, seed=seed)
        structures.append(labelled(atoms))
    return structures


def select(directory: Path, structures: list[Atoms], split: SplitConfig) -> Subject:
    path = str(directory / "a.xyz")
    ase.io.write(path, structures)
    _, index = check_files([path])
    write_index(directory / "frames.safetensors", index)
    write_split(directory / "split.json", make_split(index, split))
    paths = directory / "frames.safetensors", directory / "split.json"
    return select_subject(*paths, LABELS, 4.0, StructuresConfig())


def test_lowest_energy_of_the_test_set(tmp_path: Path) -> None:
    subject = select(tmp_path, frames("H2O", 20), SplitConfig(train=10, valid=2, test=8))
    (chosen,) = subject.structures
    paths = tmp_path / "frames.safetensors", tmp_path / "split.json"
    test = list(iterate_split(*paths, "test", LABELS))
    lowest = min(test, key=lambda frame: frame.energy or 0.0)
    np.testing.assert_array_equal(chosen.positions, lowest.positions)
    assert name_of(chosen) == "H2O"
    assert subject.elements == ["H", "O"]
    assert subject.cutoff == 4.0
    training = [frame.atoms for frame in iterate_split(*paths, "train", LABELS)]
    shortest = min(atoms.get_distances(0, [1, 2]).min() for atoms in training)
    assert subject.shortest_distances["H-O"] == pytest.approx(shortest)


def test_most_frequent_compositions_of_molecules_and_crystals(tmp_path: Path) -> None:
    structures = [*frames("CO2", 6), *frames("H2O", 10), *frames("Ni", 4), *frames("Cu", 8)]
    # The perfect crystal has another cell, and the same composition.
    structures += [labelled(bulk("Cu") * (2, 1, 1))]
    ase.io.write(tmp_path / "a.xyz", structures)
    _, index = check_files([str(tmp_path / "a.xyz")])
    rows = index.structures
    energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in structures])
    groups = {"CO2": range(6), "H2O": range(6, 16), "Ni": range(16, 20), "Cu": range(20, 29)}
    lowest = {name: min(places, key=lambda p: energies[p]) for name, places in groups.items()}
    assert lowest["Cu"] == 28
    assert choose_rows(index, rows, 1) == [lowest["H2O"], 28]
    assert choose_rows(index, rows, 2) == [lowest["H2O"], lowest["CO2"], 28, lowest["Ni"]]
    last = len(structures) - 1
    assert choose_rows(index, rows[::-1], 1) == [last - lowest["H2O"], last - 28]


def test_energies_are_not_needed(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.xyz", [atoms.copy() for atoms in frames("H2O", 3)])
    labels = LabelKeys(missing="mask")
    _, index = check_files([str(tmp_path / "a.xyz")], labels, QualityConfig(require=()))
    assert choose_rows(index, index.structures, 1) == [0]


def test_without_test_set_another_is_taken(tmp_path: Path) -> None:
    subject = select(tmp_path, frames("H2O", 5), SplitConfig(train=4, valid=1, test=0))
    assert len(subject.structures) == 1


def test_frames_that_have_changed_are_said(tmp_path: Path) -> None:
    select(tmp_path, frames("H2O", 6), SplitConfig(train=3, valid=1, test=2))
    ase.io.write(tmp_path / "a.xyz", frames("H2O", 8)[2:])
    paths = tmp_path / "frames.safetensors", tmp_path / "split.json"
    with pytest.raises(UserError, match="another structure than when the dataset was checked"):
        select_subject(*paths, LABELS, 4.0, StructuresConfig())
