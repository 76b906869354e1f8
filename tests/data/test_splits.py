import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlip_core.data.frames import Frame
from mlip_core.data.splits import (
    SplitConfig,
    load_split,
    make_split,
    read_split,
    select_frames,
    write_split,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import ethanol, ethanol_frames, frames_of

COUNTS = SplitConfig(train=6, valid=2, test=1, seed=3)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return ethanol_frames(20)


def names(split: dict[str, Any]) -> list[str]:
    return [row["split"] for row in split["frames"]]


def assigned(split: dict[str, Any]) -> dict[str, str]:
    return {row["digest"]: row["split"] for row in split["frames"] if row["split"] != "unused"}


def test_counts(frames: list[Frame]) -> None:
    split = make_split(frames, COUNTS)
    assert [names(split).count(n) for n in ("train", "valid", "test", "unused")] == [6, 2, 1, 11]


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (SplitConfig(train=0.8, valid=0.1, test=0.1), [16, 2, 2]),
        (SplitConfig(train=0.7, valid=0.17, test=0.13), [15, 3, 2]),
        (SplitConfig(train=0.5, valid=0.25, test=0), [10, 5, 0]),
        (SplitConfig(train=1.0, valid=0, test=0), [20, 0, 0]),
        (SplitConfig(train=0.5, valid=3, test=4), [10, 3, 4]),
    ],
)
def test_fractions(frames: list[Frame], config: SplitConfig, sizes: list[int]) -> None:
    split = make_split(frames, config)
    assert [names(split).count(n) for n in ("train", "valid", "test")] == sizes


def test_depends_on_the_seed_and_not_on_the_order_of_frames(frames: list[Frame]) -> None:
    split = make_split(frames, COUNTS)
    assert assigned(make_split(frames[::-1], COUNTS)) == assigned(split)
    other_seed = make_split(frames, COUNTS.model_copy(update={"seed": 4}))
    assert assigned(other_seed) != assigned(split)


def test_copies_of_a_structure_stay_together() -> None:
    frames = frames_of([ethanol(seed) for seed in range(8) for _ in range(3)])
    split = make_split(frames, SplitConfig(train=10, valid=5, test=4))
    places = {}
    for row in split["frames"]:
        places.setdefault(row["digest"], set()).add(row["split"])
    assert all(len(found - {"unused"}) <= 1 for found in places.values())
    assert [names(split).count(n) for n in ("train", "valid", "test")] == [10, 5, 4]


def test_known_frames_stay_where_they_are(frames: list[Frame]) -> None:
    config = SplitConfig(train=0.6, valid=0.2, test=0.2)
    before = make_split(frames[:10], config)
    after = make_split(frames[5:] + frames[:5], config, before)
    assert assigned(after).items() >= assigned(before).items()
    assert [names(after).count(n) for n in ("train", "valid", "test")] == [12, 4, 4]


def test_previous_split_of_other_settings_is_not_kept(frames: list[Frame]) -> None:
    before = make_split(frames, COUNTS)
    other = COUNTS.model_copy(update={"seed": 5})
    assert make_split(frames, other, before) == make_split(frames, other)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SplitConfig(train=0, valid=2, test=2), "the training set is empty"),
        (SplitConfig(train=18, valid=2, test=1), "too few frames: there are 20, .* needs 21"),
        (SplitConfig(train=0.8, valid=0.2, test=0.1), "exceed 1"),
        (SplitConfig(train=0.9, valid=0.01, test=0.05), "valid: 0.01 of 20 frames is none"),
        (SplitConfig(train=0.9, valid=0.05, test=3), "too few frames"),
    ],
)
def test_impossible_splits(frames: list[Frame], config: SplitConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_split(frames, config)


def test_too_few_different_structures() -> None:
    frames = frames_of([ethanol(0)] * 6 + [ethanol(1)])
    with pytest.raises(UserError, match="7 frames hold 2 different structures"):
        make_split(frames, SplitConfig(train=4, valid=2, test=1))


@pytest.mark.parametrize("share", [-1, -0.5, 1.5, True, "many"])
def test_senseless_shares(share: Any) -> None:
    with pytest.raises(ValidationError):
        SplitConfig(train=share)


def test_file_round_trip(tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / "split.json"
    split = make_split(frames, COUNTS)
    write_split(path, split)
    assert load_split(path) == split
    indices = read_split(path)
    assert sorted(indices) == ["test", "train", "valid"]
    assert indices["train"] == [i for i, name in enumerate(names(split)) if name == "train"]
    assert select_frames(frames, path, "valid") == [frames[i] for i in indices["valid"]]
    with pytest.raises(UserError, match="other frames"):
        select_frames(frames[1:], path, "valid")


def test_same_bytes_every_time(tmp_path: Path, frames: list[Frame]) -> None:
    for name in ("a", "b"):
        write_split(tmp_path / f"{name}.json", make_split(frames, COUNTS))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_different_split_is_kept_beside_the_new_one(tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / "split.json"
    write_split(path, make_split(frames, COUNTS))
    old = path.read_bytes()
    write_split(path, make_split(frames, COUNTS))
    assert [file.name for file in tmp_path.iterdir()] == ["split.json"]
    new = make_split(frames, COUNTS.model_copy(update={"seed": 9}))
    write_split(path, new)
    assert load_split(path) == new
    assert (tmp_path / f"split-{sha256(old).hexdigest()[:8]}.json").read_bytes() == old


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a split file"),
        ("[1]", "not a split file"),
        (json.dumps({"format": "something"}), "not a split file"),
        (json.dumps({"format": "mlip_core split", "version": 99}), "version 99"),
    ],
)
def test_files_that_are_no_split(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_split(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_split(tmp_path / "split.json")
