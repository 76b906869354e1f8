"""The structures that are checked, as the jobs hand them on."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from mlip_core.physics.config import StructuresConfig
from mlip_core.physics.subject import (
    Subject,
    is_reference_minimum,
    measure_distances,
    name_of,
    named,
    pairs_of,
    read_subject,
    relaxed_structures,
    write_subject,
)
from mlip_core.utils.files import write_json


def test_names_are_distinct() -> None:
    structures = named([bulk("Cu"), bulk("Cu", a=3.7), molecule("H2O"), bulk("Cu", a=3.8)])
    assert [name_of(atoms) for atoms in structures] == ["Cu", "Cu (2)", "H2O", "Cu (3)"]


def test_shortest_distances_by_pair() -> None:
    water = molecule("H2O")
    cell = Atoms("H2", positions=[[0.1, 0, 0], [3.9, 0, 0]], cell=[4, 9, 9], pbc=True)
    elements, distances = measure_distances([water, cell], cutoff=3.0)
    assert elements == ["H", "O"]
    assert distances == {
        "H-H": pytest.approx(0.2),  # through the face of the cell
        "H-O": pytest.approx(water.get_distance(0, 1)),
    }
    assert list(pairs_of(elements)) == ["H-H", "H-O", "O-O"]


def test_pairs_are_found_whatever_the_order_of_their_atoms() -> None:
    ethane = molecule("C2H6")  # C before H as symbols, after it as numbers
    shortest = ethane.get_distances(0, range(2, 8)).min()
    for atoms in (ethane, ethane[::-1]):
        assert measure_distances([atoms], cutoff=2.0)[1]["C-H"] == pytest.approx(shortest)


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    structures = named([molecule("C2H6"), bulk("Cu", cubic=True)])
    relaxed = list(relaxed_structures(structures, EMT(), StructuresConfig()))
    subject = Subject(relaxed, ["C", "H"], {"C-H": 1.05}, 4.5)
    paths = [str(tmp_path / name) for name in ("structures.extxyz", "distances.json")]
    write_subject(*paths, subject)
    write_json(tmp_path / "vibrations.json", {"C2H6": [1.0]})
    again = read_subject(*paths, tmp_path / "vibrations.json")
    for atoms, expected in zip(again.structures, relaxed, strict=True):
        np.testing.assert_array_equal(atoms.positions, expected.positions)
        np.testing.assert_array_equal(atoms.cell, expected.cell)
        assert name_of(atoms) == name_of(expected)
        assert is_reference_minimum(atoms)
    assert (again.elements, again.shortest_distances) == (["C", "H"], {"C-H": 1.05})
    assert again.cutoff == 4.5
    assert again.reference == {"C2H6": [1.0]}
    assert read_subject(*paths).reference == {}


def test_relaxation_that_does_not_end_leaves_the_structure(tmp_path: Path) -> None:
    (start,) = named([molecule("C2H6")])
    config = StructuresConfig(relax_max_steps=1)
    (left,) = relaxed_structures([start], EMT(), config)
    np.testing.assert_array_equal(left.positions, start.positions)
    assert not is_reference_minimum(left)
    paths = [str(tmp_path / name) for name in ("structures.extxyz", "distances.json")]
    write_subject(*paths, Subject([left]))
    assert not is_reference_minimum(read_subject(*paths).structures[0])
