"""The index of frames: what its rows say, and its file."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from safetensors.numpy import save_file

from mlip_core.data.frame_index import (
    FrameFlag,
    FrameIndex,
    FrameIndexBuilder,
    as_keys,
    read_index,
    write_index,
)
from mlip_core.data.frames import Frame, FrameBlock, frame_from_atoms
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, frames_of, water


def with_type(frames: list[Frame], *types: str) -> list[Frame]:
    for frame, name in zip(frames, types, strict=True):
        frame.info["config_type"] = name
    return frames


@pytest.fixture
def index() -> FrameIndex:
    builder = FrameIndexBuilder(["a.xyz", "b.xyz"], "config_type")
    atom = frame_from_atoms(Atoms("H", info={"energy": -13.6}), require=(), index=2)
    frames = with_type([*frames_of([ethanol(0), water(0)]), atom], "warm", "cold", "free")
    builder.add(0, FrameBlock.of(frames[:2]))
    builder.add(0, FrameBlock.of(frames[2:]))
    crystal = frames_of([copper(0)], stress=True)
    others = crystal + frames_of([ethanol(0), ethanol(1)])[1:]
    builder.add(1, FrameBlock.of(with_type(others, "warm", "hot")))
    return builder.build()


def test_a_row_for_each_frame(index: FrameIndex) -> None:
    assert index.file.tolist() == [0, 0, 0, 1, 1]
    assert index.index.tolist() == [0, 1, 2, 0, 1]
    assert index.offset.tolist() == [-1] * 5
    assert index.n_atoms.tolist() == [9, 3, 1, 8, 9]
    assert index.groups == ("warm", "cold", "free", "hot")
    assert index.group.tolist() == [0, 1, 2, 0, 3]
    assert index.place(3) == "b.xyz: frame 0"
    assert index.places([1]) == [{"file": "a.xyz", "index": 1}]
    first = frames_of([ethanol(0)])[0]
    assert index.digest[0].tobytes().hex() == first.digest
    assert index.energy[0] == first.energy


def test_compositions(index: FrameIndex) -> None:
    formulas = [index.formula(composition) for composition in index.composition]
    assert formulas == ["C2H6O", "H2O", "H", "Cu8", "C2H6O"]
    counts = index.compositions[[index.composition[0]]].toarray()[0]
    assert np.flatnonzero(counts).tolist() == [1, 6, 8]
    assert counts[[1, 6, 8]].tolist() == [6, 2, 1]


def test_flags(index: FrameIndex) -> None:
    assert index.free_atoms.tolist() == [2]
    assert index.structures.tolist() == [0, 1, 3, 4]
    assert index.has(FrameFlag.PERIODIC).tolist() == [False, False, False, True, False]
    assert index.has(FrameFlag.FORCES).all()
    assert index.has(FrameFlag.STRESS).tolist() == [False, False, False, True, False]


def test_frames_without_the_key_to_group_by() -> None:
    builder = FrameIndexBuilder(["a.xyz"], "trajectory")
    frames = with_type(frames_of([ethanol(0)]), "warm")
    with pytest.raises(UserError, match=r"frame 0: has no property 'trajectory'.*config_type"):
        builder.add(0, FrameBlock.of(frames))
    free_atom = frame_from_atoms(Atoms("H"), require=())
    builder.add(0, FrameBlock.of([free_atom]))  # in no group, as in no split


def test_file_round_trip(index: FrameIndex, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_index(tmp_path / name, index)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    again = read_index(tmp_path / "one")
    for field in fields(FrameIndex):
        expected, value = getattr(index, field.name), getattr(again, field.name)
        assert type(value) is type(expected)
        assert np.array_equal(value, expected, equal_nan=field.name == "energy"), field.name


def test_an_index_without_frames(tmp_path: Path) -> None:
    write_index(tmp_path / "none", FrameIndexBuilder(["a.xyz"]).build())
    assert len(read_index(tmp_path / "none").structures) == 0


def test_files_that_are_no_index(index: FrameIndex, tmp_path: Path) -> None:
    path = tmp_path / "frames.safetensors"
    with pytest.raises(UserError, match=r"frames.safetensors: no such file; remove it and check"):
        read_index(path)
    write_index(path, index)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="not a readable index of frames"):
        read_index(path)
    header = {"format": "mlip_core frame index", "version": 99}
    for content, message in ((header, "of version 99, this program reads"), ({}, "not a index")):
        save_file({}, path, {"mlip_core": json.dumps(content)})
        with pytest.raises(UserError, match=message):
            read_index(path)


def test_keys_tell_digests_apart_that_end_in_zeros() -> None:
    digests = np.zeros((3, 32), dtype=np.uint8)
    digests[0, 0] = digests[1, 1] = 7
    keys = as_keys(digests)
    assert len(set(keys.tolist())) == len(np.unique(keys)) == 3
