"""Predictions survive the file to the last digit, and ASE reads it."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlip_core.evaluation import (
    EvaluatedStructure,
    Values,
    read_predictions,
    write_predictions,
)
from mlip_core.utils.errors import UserError


def _values(rng: np.random.Generator, n_atoms: int, *, with_stress: bool) -> Values:
    energy = float(rng.normal())
    stress = rng.normal(size=(3, 3)) if with_stress else None
    if stress is not None:
        stress = stress + stress.T
    return Values(-1e4 / 3 + energy, energy, rng.normal(size=(n_atoms, 3)), stress)


def _structure(atoms: Atoms, config_type: str | None, seed: int) -> EvaluatedStructure:
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(scale=0.1, size=atoms.positions.shape)
    periodic = bool(atoms.pbc.any())
    reference, predicted = (_values(rng, len(atoms), with_stress=periodic) for _ in range(2))
    return EvaluatedStructure(atoms, reference, predicted, "my file.xyz:3", config_type)


@pytest.fixture
def structures() -> list[EvaluatedStructure]:
    skewed = bulk("NaCl", "rocksalt", a=5.6)
    slab = bulk("Cu", cubic=True)
    slab.pbc = (True, True, False)
    return [
        _structure(molecule("CH3CH2OH"), 'a "quoted" \\ name', 0),
        _structure(skewed, "bulk", 1),
        _structure(slab, None, 2),
        _structure(Atoms("He"), "3", 3),
    ]


def test_round_trip_is_exact(structures: list[EvaluatedStructure], tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.extxyz", structures)
    for read, written in zip(read_predictions(tmp_path / "p.extxyz"), structures, strict=True):
        np.testing.assert_array_equal(read.atoms.numbers, written.atoms.numbers)
        np.testing.assert_array_equal(read.atoms.positions, written.atoms.positions)
        np.testing.assert_array_equal(read.atoms.cell, written.atoms.cell)
        np.testing.assert_array_equal(read.atoms.pbc, written.atoms.pbc)
        assert read.source == written.source
        assert read.config_type == written.config_type
        for name in ("reference", "predicted"):
            _assert_equal(getattr(read, name), getattr(written, name))


def _assert_equal(read: Values, written: Values) -> None:
    assert read.energy == written.energy
    assert read.interaction_energy == written.interaction_energy
    np.testing.assert_array_equal(read.forces, written.forces)
    if written.stress is None:
        assert read.stress is None
    else:
        np.testing.assert_array_equal(read.stress, written.stress)


def test_same_structures_same_bytes(structures: list[EvaluatedStructure], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_predictions(tmp_path / name, structures)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_labels_that_are_not_there_are_not_written(tmp_path: Path) -> None:
    bare = EvaluatedStructure(Atoms("H"), Values(), Values(1.0, 2.0, np.ones((1, 3))))
    write_predictions(tmp_path / "p.extxyz", [bare])
    (frame,) = ase.io.iread(tmp_path / "p.extxyz")
    assert not any(key.startswith("REF") for key in [*frame.info, *frame.arrays])
    (read,) = read_predictions(tmp_path / "p.extxyz")
    assert read.reference == Values()


def test_file_without_predictions_is_a_user_error(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "other.extxyz", molecule("H2O"))
    with pytest.raises(UserError, match=r"other.extxyz, frame 0: no key begins with MLIP_"):
        read_predictions(tmp_path / "other.extxyz")


@pytest.mark.parametrize("text", ["it's", "a\tb", 'say "a\\b"', "a={b}", "ü [1, 2]", "x'y'"])
def test_texts_of_any_kind_come_back(text: str, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.extxyz", [_structure(molecule("H2O"), text, 0)])
    (read,) = read_predictions(tmp_path / "p.extxyz")
    assert read.config_type == text


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x85b", "a\u2028b"])
def test_a_line_stays_a_line(text: str, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.extxyz", [_structure(molecule("H2O"), text, 0)])
    (read,) = read_predictions(tmp_path / "p.extxyz")
    assert read.config_type == "a b"
