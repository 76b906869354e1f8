"""What one job hands to the next, changed by chance: it is read, or refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from mlip_core.data.dataset_info import read_dataset_info
from mlip_core.data.frame_index import FrameIndexBuilder, read_index, write_index
from mlip_core.data.frames import FrameBlock
from mlip_core.data.shards import ShardPlan, gather, load_graph_dataset, read_shard, write_shards
from mlip_core.data.splits import SPLITS, SplitConfig, load_split, make_split, write_split
from tests.data.structures import ethanol_frames
from tests.fuzzing import EDITS, VALUES, edited, number_of_cases, read_or_complain, run

CASES = number_of_cases(50, 2_000)
SHARD = "shards/train/shard-00000-of-00001.safetensors"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset of a few molecules."""
    directory = tmp_path_factory.mktemp("sound")
    frames = ethanol_frames(6)
    builder = FrameIndexBuilder(["a.xyz"])
    builder.add(0, FrameBlock.of(frames))
    index = builder.build()
    write_index(directory / "frames.safetensors", index)
    write_split(directory / "split.json", make_split(index, SplitConfig(train=4, valid=1, test=1)))
    for name in SPLITS:
        write_shards(directory / "parts" / name, frames[:4], ShardPlan(4, 4), [0], 3.0)
    gather({name: [directory / "parts" / name] for name in SPLITS}, directory)
    return directory


@pytest.fixture
def hostile(sound: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(sound, tmp_path / "hostile")


def use_index(path: Path) -> None:
    index = read_index(path)
    for row in index.structures.tolist():
        assert index.place(row)
        assert index.formula(int(index.composition[row]))
    assert len(index.groups) > index.group.max(initial=-1)


def use_manifest(path: Path) -> None:
    info = read_dataset_info(path.parents[2] / "dataset_info.json")
    for batch in load_graph_dataset(path, info, 2):
        assert np.isfinite(batch.nodes.positions).all()


def use_shard(path: Path) -> None:
    segment = read_shard(path).segment
    assert segment.node_ends[-1] == len(segment.positions)


READERS: dict[str, Callable[[Path], Any]] = {
    "frames.safetensors": use_index,
    "split.json": load_split,
    "split.safetensors": lambda path: load_split(path.with_suffix(".json")),
    "dataset_info.json": read_dataset_info,
    "shards/train/manifest.json": use_manifest,
    SHARD: use_shard,
}


@CASES
@pytest.mark.parametrize("file", READERS)
def test_bytes(hostile: Path, file: str, cases: int) -> None:
    path = hostile / file
    content = path.read_bytes()

    def check(edits: list[tuple[float, int, bytes]]) -> None:
        path.write_bytes(edited(content, edits))
        read_or_complain(READERS[file], path)

    run(EDITS, check, cases)


@CASES
@pytest.mark.parametrize("file", [name for name in READERS if name.endswith(".json")])
def test_values(hostile: Path, file: str, cases: int) -> None:
    """Sound JSON of other values, or without some."""
    path = hostile / file
    sound = json.loads(path.read_text())

    def check(changes: dict[str, Any]) -> None:
        changed = {key: value for key, value in (sound | changes).items() if value != "gone"}
        path.write_text(json.dumps(changed))
        read_or_complain(READERS[file], path)

    run(st.dictionaries(st.sampled_from(list(sound)), VALUES | st.just("gone")), check, cases)


@CASES
def test_arrays_of_the_index(hostile: Path, cases: int) -> None:
    """A sound file with numbers that point nowhere."""
    path = hostile / "frames.safetensors"
    index = read_index(path)
    names = [name for name, value in vars(index).items() if isinstance(value, np.ndarray)]

    def check(case: tuple[str, int, int]) -> None:
        name, place, value = case
        changed = getattr(index, name).copy()
        if len(changed):
            flat = changed.reshape(-1)
            flat[place % len(flat)] = np.array(value).astype(changed.dtype)
        write_index(path, type(index)(**{**vars(index), name: changed}))
        read_or_complain(use_index, path)

    numbers = st.integers(-3, 300) | st.integers(-(2**31), 2**31 - 1)
    run(st.tuples(st.sampled_from(names), st.integers(0, 99), numbers), check, cases)
