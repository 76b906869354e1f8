"""Frames of a split, found by the index and streamed from their files."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from mlip_core.data.frame_index import read_index, write_index
from mlip_core.data.frames import LabelKeys
from mlip_core.data.quality import QualityConfig, check_files
from mlip_core.data.splits import SplitConfig, make_split, write_split
from mlip_core.study import frames as study_frames
from mlip_core.study.frames import (
    iterate_kept,
    iterate_split,
    iterate_unlabelled,
    read_free_atom_energies,
    split_size,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import ethanol, labelled


def prepare(directory: Path, files: Sequence[str]) -> tuple[Path, Path]:
    """Write ten frames to each file; check and split them."""
    paths = [str(directory / name) for name in files]
    for number, path in enumerate(paths):
        structures = [labelled(ethanol(100 * number + seed)) for seed in range(10)]
        ase.io.write(path, structures)
    return index_and_split(directory, paths)


def index_and_split(directory: Path, paths: Sequence[str]) -> tuple[Path, Path]:
    _, index = check_files(list(paths))
    write_index(directory / "frames.safetensors", index)
    split = make_split(index, SplitConfig(train=0.6, valid=0.1, test=0.3))
    write_split(directory / "split.json", split)
    return directory / "frames.safetensors", directory / "split.json"


@pytest.mark.parametrize(
    "files",
    [["a.xyz"], ["a.xyz", "b.xyz"], ["a.traj", "b.xyz.gz"], [f"{i}.xyz" for i in range(70)]],
)
def test_frames_in_the_order_of_the_split(tmp_path: Path, files: list[str]) -> None:
    paths = prepare(tmp_path, files)
    index = read_index(paths[0])
    n_train = split_size(paths[1], "train")
    assert n_train == 6 * len(files)
    everything = list(iterate_split(*paths, "train", LabelKeys()))
    digests = [frame.digest for frame in everything]
    expected = make_split(index, SplitConfig(train=0.6, valid=0.1, test=0.3)).digests["train"]
    assert digests == [digest.tobytes().hex() for digest in expected]
    parts = [
        frame.digest
        for start in range(0, n_train, 4)
        for frame in iterate_split(*paths, "train", LabelKeys(), start=start, stop=start + 4)
    ]
    assert parts == digests
    assert list(iterate_split(*paths, "train", LabelKeys(), start=n_train)) == []


def test_few_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = prepare(tmp_path, [f"{number}.xyz" for number in range(9)])
    expected = [frame.digest for frame in iterate_split(*paths, "train", LabelKeys())]
    monkeypatch.setattr(study_frames, "_OPEN_FILES", 2)
    assert [frame.digest for frame in iterate_split(*paths, "train", LabelKeys())] == expected


def test_dropped_frames_are_not_read(tmp_path: Path) -> None:
    structures = [labelled(ethanol(seed)) for seed in range(12)]
    structures[4] = ethanol(4)
    path = tmp_path / "some.xyz"
    ase.io.write(path, structures)
    config = QualityConfig.model_validate({"actions": {"missing_labels": "drop"}})
    _, index = check_files([str(path)], config=config)
    write_index(tmp_path / "frames.safetensors", index)
    write_split(tmp_path / "split.json", make_split(index, SplitConfig(train=1.0, valid=0, test=0)))
    found = iterate_split(
        tmp_path / "frames.safetensors", tmp_path / "split.json", "train", LabelKeys()
    )
    assert sorted(frame.index for frame in found) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("file", ["a.xyz", "a.traj"])
def test_a_file_that_was_changed_since(tmp_path: Path, file: str) -> None:
    paths = prepare(tmp_path, [file])
    ase.io.write(tmp_path / file, [labelled(ethanol(seed)) for seed in range(50, 60)])
    with pytest.raises(UserError, match=rf"{file}: frame \d.*check"):
        list(iterate_split(*paths, "test", LabelKeys()))


def test_a_split_of_another_index(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    index, _ = prepare(tmp_path / "one", ["a.xyz"])
    _, split = prepare(tmp_path / "other", ["a.xyz", "b.xyz"])
    with pytest.raises(UserError, match="was made for other frames than"):
        list(iterate_split(index, split, "train", LabelKeys()))


def free_atom(symbol: str, energy: float | None) -> Atoms:
    atoms = Atoms(symbol)
    if energy is not None:
        atoms.info["energy"] = energy
    return atoms


def indexed(directory: Path, atoms: Sequence[Atoms]) -> Path:
    path = directory / "atoms.xyz"
    ase.io.write(path, [*atoms, labelled(ethanol(0))], format="extxyz")
    _, index = check_files([str(path)], config=QualityConfig(require=()))
    write_index(directory / "frames.safetensors", index)
    return directory / "frames.safetensors"


def test_energies_of_free_atoms(tmp_path: Path) -> None:
    path = indexed(tmp_path, [free_atom("O", -2041.8), free_atom("H", -13.6)])
    assert read_free_atom_energies(path, LabelKeys()) == {1: -13.6, 8: -2041.8}


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        ([], "no frame of a single atom"),
        ([("H", None)], r"atoms.xyz: frame 0: free atom without energy 'energy'"),
        ([("H", -13.6), ("H", -13.5)], r"atoms.xyz: frame 1: another energy than an earlier"),
    ],
)
def test_free_atoms_that_give_no_energies(
    tmp_path: Path, atoms: list[tuple[str, float | None]], message: str
) -> None:
    path = indexed(tmp_path, [free_atom(*atom) for atom in atoms])
    with pytest.raises(UserError, match=message):
        read_free_atom_energies(path, LabelKeys())


def test_labels_are_read_with_the_frames(tmp_path: Path) -> None:
    paths = prepare(tmp_path, ["a.xyz"])
    frame = next(iterate_split(*paths, "test", LabelKeys()))
    expected = labelled(ethanol(frame.index))
    np.testing.assert_allclose(frame.forces, expected.get_forces(), atol=1e-7)


def test_structures_that_a_check_has_kept_are_in_its_units(tmp_path: Path) -> None:
    path = str(tmp_path / "a.xyz")
    bad = labelled(ethanol(1))
    bad.calc.results["energy"] = np.nan
    free = labelled(Atoms("H"))
    structures = [labelled(ethanol(0)), bad, free, labelled(ethanol(2))]
    ase.io.write(path, structures)
    config = QualityConfig.model_validate({"actions": {"bad_frames": "drop"}})
    labels = LabelKeys(length_unit="Bohr")
    _, index = check_files([path], labels, config)
    write_index(tmp_path / "frames.safetensors", index)
    kept = list(iterate_kept(tmp_path / "frames.safetensors", labels))
    assert [frame.index for frame in kept] == [0, 3]
    expected = structures[0].positions * ase.units.Bohr
    np.testing.assert_allclose(kept[0].positions, expected, atol=1e-7)


def test_labels_do_not_matter_where_none_are_wanted(tmp_path: Path) -> None:
    bad = labelled(ethanol(0))
    bad.calc.results["energy"] = np.nan
    ase.io.write(tmp_path / "a.xyz", [bad, ethanol(1)])
    frames = list(iterate_unlabelled([tmp_path / "a.xyz"]))
    assert [frame.energy for frame in frames] == [None, None]
    assert [len(frame.numbers) for frame in frames] == [9, 9]
