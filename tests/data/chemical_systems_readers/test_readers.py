import logging
import shutil
from pathlib import Path
from typing import Any

import ase.io
import h5py
import numpy as np
import pytest

from mlip_core.data import (
    AseReader,
    ChemicalSystem,
    ChemicalSystemsReaderConfig,
    CombinedReader,
    ExtxyzReader,
    Hdf5Reader,
)
from mlip_core.data.chemical_systems_readers.utils import apply_flatten
from mlip_core.data.frames import LabelKeys
from mlip_core.data.helpers.graph_creation import (
    make_segment,
    make_segment_of_blocks,
    structure_of,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, labelled, water


@pytest.fixture
def files(tmp_path: Path) -> Path:
    ase.io.write(tmp_path / "train.xyz", [labelled(ethanol(seed)) for seed in range(4)])
    ase.io.write(tmp_path / "more.xyz", [labelled(water(seed)) for seed in range(3)])
    ase.io.write(tmp_path / "cu.xyz", [labelled(copper(0), stress=True), labelled(water(9))])
    return tmp_path


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


def config(directory: Path, train: list[str], **options: Any) -> ChemicalSystemsReaderConfig:
    paths = [directory / name for name in train]
    return ChemicalSystemsReaderConfig(train_dataset_paths=paths, **options)


def test_extxyz(files: Path) -> None:
    train, valid, test = ExtxyzReader(
        config(files, ["train.xyz", "more.xyz"], valid_dataset_paths=files / "more.xyz")
    ).load()
    assert (len(train), len(valid), len(test)) == (7, 3, 0)
    assert train[0].atomic_species.tolist() == [1, 1, 2] + [0] * 6
    assert valid[0].atomic_species.tolist() == [2, 0, 0]
    atoms = labelled(water(1))
    assert valid[1].energy == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(valid[1].forces, atoms.get_forces(), atol=1e-7)
    assert valid[1].cell is None
    assert valid[1].pbc == (False, False, False)


class EverySecond(ExtxyzReader):
    """A reader with a way of its own."""

    def read_file(self, path: Path, limit: int | None) -> list[ChemicalSystem]:
        """Read a half of the structures."""
        return super().read_file(path, None)[::2][:limit]


@pytest.mark.parametrize("limit", [None, 1, 4, 5, 9])
@pytest.mark.parametrize("make", [ExtxyzReader, AseReader, EverySecond])
def test_blocks_are_the_systems(files: Path, make: Any, limit: int | None) -> None:
    names = {"valid_dataset_paths": files / "cu.xyz", "train_num_to_load": limit}
    one = make(config(files, ["train.xyz", "more.xyz"], **names))
    for reader in (one, CombinedReader([one, one])):
        expected = reader.load(None)
        for systems, blocks in zip(expected, reader.load_blocks(), strict=True):
            ours = make_segment_of_blocks(blocks, 4.0).arrays()
            theirs = make_segment(map(structure_of, systems), 4.0).arrays()
            assert len(ours["n_node"]) == len(systems)
            assert ours.keys() == theirs.keys()
            for name, values in ours.items():
                np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def test_frames_beyond_the_number_to_load_may_be_bad(files: Path) -> None:
    with (files / "train.xyz").open("a") as file:
        file.write("1\nProperties=species:S:1:pos:R:3 energy=none\nH 0 0 0\n")
    reader = ExtxyzReader(config(files, ["train.xyz"], train_num_to_load=4))
    assert sum(len(block.n_node) for block in next(reader.load_blocks())) == 4
    reader = ExtxyzReader(config(files, ["train.xyz"], train_num_to_load=5))
    with pytest.raises(UserError, match="frame 4"):
        list(next(reader.load_blocks()))


def test_number_to_load_is_of_all_files_together(files: Path) -> None:
    reader = ExtxyzReader(
        config(
            files,
            ["train.xyz", "more.xyz"],
            train_num_to_load=5,
            test_dataset_paths=files / "more.xyz",
            test_num_to_load=1,
        )
    )
    assert [len(split) for split in reader.load()] == [5, 0, 1]


def test_structures_with_unseen_elements_are_dropped_with_a_warning(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = ExtxyzReader(config(files, ["train.xyz"], valid_dataset_paths=files / "cu.xyz"))
    with caplog.at_level(logging.WARNING):
        train, valid, _ = reader.load()
    assert "1 of 2 validation structures have elements that the training set lacks (Cu)" in (
        caplog.text
    )
    assert (len(train), len(valid)) == (4, 1)
    assert len(reader.load(postprocess_fun=None)[1]) == 2


def test_stress_and_cell(files: Path) -> None:
    ((system, _), _, _) = ExtxyzReader(config(files, ["cu.xyz"])).load()
    atoms = labelled(copper(0), stress=True)
    np.testing.assert_allclose(system.stress, atoms.get_stress(voigt=False), atol=1e-12)
    np.testing.assert_allclose(system.cell, atoms.cell.array, atol=1e-8)
    assert system.pbc == (True, True, True)


def test_label_keys(files: Path) -> None:
    atoms = water(0)
    atoms.info["E"] = -5.0
    ase.io.write(files / "e.xyz", atoms)
    options = {"labels": LabelKeys(energy_key="E", forces_key="momenta")}
    with pytest.raises(UserError, match='no forces under key "momenta"; the keys there are E;'):
        ExtxyzReader(config(files, ["e.xyz"], **options)).load()


def test_download_function_brings_the_files(files: Path) -> None:
    fetched = []

    def download(source: Any, target: Any) -> None:
        fetched.append(source)
        shutil.copy(files / str(source).removeprefix("remote:"), target)

    reader = ExtxyzReader(
        ChemicalSystemsReaderConfig(train_dataset_paths="remote:train.xyz"), download
    )
    assert len(reader.load()[0]) == 4
    assert fetched == ["remote:train.xyz"]


def test_hdf5_gives_what_extxyz_gives(tmp_path: Path) -> None:
    structures = [labelled(ethanol(0)), labelled(copper(1), stress=True)]
    write_hdf5(tmp_path / "a.h5", structures)
    for atoms, system in zip(
        structures, Hdf5Reader(config(tmp_path, ["a.h5"])).load()[0], strict=True
    ):
        np.testing.assert_array_equal(system.atomic_numbers, atoms.numbers)
        np.testing.assert_array_equal(system.positions, atoms.positions)
        np.testing.assert_array_equal(system.forces, atoms.get_forces())
        assert system.energy == atoms.get_potential_energy()
        assert system.pbc == tuple(atoms.pbc)
        if atoms.pbc.any():
            np.testing.assert_array_equal(system.cell, atoms.cell.array)
            np.testing.assert_array_equal(system.stress, atoms.get_stress(voigt=False))


def test_hdf5_number_to_load(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "a.h5", [labelled(water(seed)) for seed in range(3)])
    assert len(Hdf5Reader(config(tmp_path, ["a.h5"], train_num_to_load=2)).load()[0]) == 2


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("positions", "no dataset positions; there are elements, forces"),
        ("elements", "no dataset elements"),
        ("forces", 'no forces under key "forces"'),
    ],
)
def test_hdf5_groups_with_something_missing(tmp_path: Path, key: str, message: str) -> None:
    write_hdf5(tmp_path / "a.h5", [labelled(water(0))])
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["s0"][key]
    with pytest.raises(UserError, match=f"frame 0: .*{message}"):
        Hdf5Reader(config(tmp_path, ["a.h5"])).load()


def test_hdf5_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Hdf5Reader(config(tmp_path, ["a.h5"])).load()
    (tmp_path / "a.h5").write_text("no")
    with pytest.raises(UserError, match="not a readable HDF5 file"):
        Hdf5Reader(config(tmp_path, ["a.h5"])).load()
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 3
    with pytest.raises(UserError, match="frame 0: group x: is not a group"):
        Hdf5Reader(config(tmp_path, ["b.h5"])).load()


def test_ase_reader_gives_what_extxyz_gives(files: Path) -> None:
    structures = ase.io.read(files / "cu.xyz", ":")
    ase.io.write(files / "cu.traj", structures)
    ase.io.write(files / "cu.db", structures)
    expected = ExtxyzReader(config(files, ["cu.xyz"])).load()[0]
    for name in ("cu.traj", "cu.db"):
        for system, other in zip(AseReader(config(files, [name])).load()[0], expected, strict=True):
            np.testing.assert_array_equal(system.positions, other.positions)
            np.testing.assert_array_equal(system.forces, other.forces)
            assert (system.energy, system.pbc) == (other.energy, other.pbc)


def test_readers_go_by_their_format_whatever_the_file_is_called(files: Path) -> None:
    (files / "train.xyz").rename(files / "train.txt")
    write_hdf5(files / "a.data", [labelled(water(0))])
    assert len(ExtxyzReader(config(files, ["train.txt"])).load()[0]) == 4
    assert len(Hdf5Reader(config(files, ["a.data"])).load()[0]) == 1


def test_labels_that_are_missing_are_masked_when_asked(files: Path) -> None:
    ase.io.write(files / "e.xyz", water(0))
    options = {"labels": LabelKeys(missing="mask")}
    ((system,), _, _) = ExtxyzReader(config(files, ["e.xyz"], **options)).load()
    assert system.energy is system.forces is None


def test_combined_readers_number_elements_together(files: Path) -> None:
    write_hdf5(files / "a.h5", [labelled(copper(0), stress=True)])
    combined = CombinedReader(
        [ExtxyzReader(config(files, ["more.xyz"])), Hdf5Reader(config(files, ["a.h5"]))]
    )
    train, _, _ = combined.load()
    assert [system.atomic_species.tolist() for system in train] == [[1, 0, 0]] * 3 + [[2] * 8]


def test_apply_flatten() -> None:
    assert apply_flatten(lambda x, n, more=0: [x] * (n + more), [1, 2], 1, more=1) == [1, 1, 2, 2]
