"""Frames read and checked many at once, against the same frames one by one."""

from pathlib import Path

import numpy as np
import pytest

from mlip_core.data.frames import (
    BadFrame,
    Frame,
    FrameBlock,
    LabelKeys,
    in_blocks,
    iterate_blocks,
    scan_blocks,
    scan_frames,
    structure_digest,
)
from mlip_core.data.frames.checking import checked_frame
from mlip_core.data.frames.extxyz import iterate
from mlip_core.data.frames.raw import RawBlock
from mlip_core.utils.errors import UserError

PROPERTIES = "Properties=species:S:1:pos:R:3:forces:R:3"
CELL = 'Lattice="3 0 0 0 3 0.1 0 0 3"'
STRESS = 'stress="1 2 3 2 4 5 3 5 6"'
COMMENTS = {
    "molecule": "energy=-1.5",
    "cell of a molecule": f'{CELL} pbc="F F F" energy=-1.5',
    "broken cell of a molecule": 'Lattice="nan 0 0 0 -3 0 0 0 3" pbc="F F F" energy=-1.5',
    "crystal": f"{CELL} energy=-1.5 {STRESS} name=a",
    "slab": f'{CELL} pbc="T T F" energy=-1.5',
    "whole number": "energy=-2",
    "no energy": "name=b",
    "text as energy": "energy=none",
    "infinite energy": "energy=inf",
    "flat cell": 'Lattice="3 0 0 0 3 0 0 0 0" energy=-1.5',
    "cell that is not finite": 'Lattice="3 0 0 0 inf 0 0 0 3" energy=-1.5',
    "asymmetric stress": f'{CELL} energy=-1.5 stress="1 2 3 9 4 5 3 5 6"',
    "nearly symmetric stress": f'{CELL} energy=-1.5 stress="1 2 3 2.0001 4 5 3 5 6"',
    "stress of a kind": f'{CELL} energy=-1.5 stress="1 2 3 4 5 6"',
    "forces of the frame": 'energy=-1.5 forces="1 2 3 4 5 6"',
}
ATOMS = ("H 0 0 0.5 1 2 3\nO 1 0 0.5 -1 0 -0.5\n", "H 0 0 nan 1 2 3\nO 1 0 0.5 -1 0 -0.5\n")


def write(path: Path, comments: list[str], atoms: str = ATOMS[0]) -> Path:
    path.write_text("".join(f"2\n{PROPERTIES} {comment}\n{atoms}" for comment in comments))
    return path


def one_by_one(path: Path, labels: LabelKeys) -> list[Frame | BadFrame]:
    table = labels.table(("energy", "forces"))
    raws = [raw for raw in iterate(path, table.wanted) if isinstance(raw, RawBlock)]
    return [checked_frame(frame, table) for raw in raws for frame in raw.frames()]


def assert_same(one: Frame | BadFrame, other: Frame | BadFrame) -> None:
    if isinstance(one, BadFrame) or isinstance(other, BadFrame):
        assert one == other
        return
    for name in ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("info", "file", "index", "offset", "digest"):
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize("unusual", COMMENTS)
@pytest.mark.parametrize("labels", [LabelKeys(), LabelKeys(length_unit="nm", missing="mask")])
def test_together_as_one_by_one(tmp_path: Path, unusual: str, labels: LabelKeys) -> None:
    usual = [COMMENTS["molecule"], COMMENTS["crystal"]]
    for comments in ([COMMENTS[unusual]] * 3, [*usual, COMMENTS[unusual], *usual]):
        path = write(tmp_path / "a.xyz", comments)
        frames = list(scan_frames(path, labels))
        expected = one_by_one(path, labels)
        assert len(frames) == len(expected) == len(comments)
        for ours, theirs in zip(frames, expected, strict=True):
            assert_same(ours, theirs)


def test_a_bad_frame_stands_where_it_is_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", [COMMENTS[k] for k in ("molecule", "no energy", "crystal")])
    kinds = [type(block) for block in scan_blocks(path)]
    assert kinds == [FrameBlock, BadFrame, FrameBlock]
    blocks = iterate_blocks(path)
    assert next(blocks).index == [0]
    with pytest.raises(UserError, match="frame 1"):
        next(blocks)


def test_a_position_that_is_no_number_is_found_among_many(tmp_path: Path) -> None:
    good = write(tmp_path / "good.xyz", [COMMENTS["molecule"]] * 3).read_text()
    bad = write(tmp_path / "bad.xyz", [COMMENTS["molecule"]], ATOMS[1]).read_text()
    path = tmp_path / "a.xyz"
    path.write_text(good + bad + good)
    found = [frame for frame in scan_frames(path) if isinstance(frame, BadFrame)]
    assert [(frame.index, frame.kind) for frame in found] == [(3, "not finite")]


def test_a_block_is_its_frames(tmp_path: Path) -> None:
    comments = [COMMENTS[name] for name in ("molecule", "crystal", "slab", "cell of a molecule")]
    (block,) = scan_blocks(write(tmp_path / "a.xyz", comments))
    assert isinstance(block, FrameBlock)
    frames = list(block.frames())
    (again,) = in_blocks(frames)
    assert isinstance(again, FrameBlock)
    for name in ("n_atoms", "numbers", "positions", "cells", "pbc", "energy", "forces", "stress"):
        np.testing.assert_array_equal(getattr(block, name), getattr(again, name), err_msg=name)
    assert [digest.hex() for digest in block.digests] == [structure_digest(f) for f in frames]
    assert not np.shares_memory(frames[0].positions, block.positions)


def test_lines_of_different_lengths_are_read_together(tmp_path: Path) -> None:
    """Frames with aligned columns, each of a width of its own, and one without."""
    forms = ["%8.3f", "%10.3f", "%.3f", "%12.3f"]
    rows = np.random.default_rng(0).normal(scale=20, size=(len(forms), 5, 6)).round(3)
    path = tmp_path / "a.xyz"
    with path.open("w") as file:
        for form, row in zip(forms, rows.tolist(), strict=True):
            file.write(f"5\n{PROPERTIES} energy=-1.5\n")
            file.writelines("O " + " ".join(form % x for x in numbers) + "\n" for numbers in row)
    (block,) = scan_blocks(path)
    assert isinstance(block, FrameBlock)
    np.testing.assert_array_equal(block.positions, rows[..., :3].reshape(-1, 3))
    np.testing.assert_array_equal(block.forces, rows[..., 3:].reshape(-1, 3))
