"""Splits: sizes, stability, groups, files, what is wrong with them, and their files."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mlip_core.data.frame_index import FrameIndex, FrameIndexBuilder, as_keys
from mlip_core.data.frames import Frame, FrameBlock
from mlip_core.data.splits import (
    SPLITS,
    Split,
    SplitConfig,
    load_previous_split,
    load_split,
    make_split,
    read_split,
    split_size,
    write_split,
)
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, ethanol_frames, frames_of, water

COUNTS = SplitConfig(train=6, valid=2, test=1, seed=3)


def index_of(
    *files: Sequence[Frame], names: Sequence[str] = "abcdef", group_key: str | None = None
) -> FrameIndex:
    builder = FrameIndexBuilder([f"{name}.xyz" for name in names[: len(files)]], group_key)
    for number, frames in enumerate(files):
        builder.add(number, FrameBlock.of(frames))
    return builder.build()


def grouped(sizes: dict[str, int]) -> FrameIndex:
    """Ethanol frames in groups of given sizes."""
    frames = ethanol_frames(sum(sizes.values()))
    names = [name for name, size in sizes.items() for _ in range(size)]
    for frame, name in zip(frames, names, strict=True):
        frame.info["config_type"] = name
    return index_of(frames, group_key="config_type")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return ethanol_frames(40)


@pytest.fixture(scope="module")
def index(frames: list[Frame]) -> FrameIndex:
    return index_of(frames[:20])


def sizes(split: Split) -> list[int]:
    return [len(split.rows[name]) for name in SPLITS]


def assigned(split: Split) -> dict[str, str]:
    return {d.tobytes().hex(): name for name in SPLITS for d in split.digests[name]}


def test_counts(index: FrameIndex) -> None:
    split = make_split(index, COUNTS)
    assert sizes(split) == [6, 2, 1]
    assert split.unused == 11
    assert len(set(np.concatenate(list(split.rows.values())).tolist())) == 9
    for name in SPLITS:
        np.testing.assert_array_equal(index.digest[split.rows[name]], split.digests[name])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SplitConfig(train=0.8, valid=0.1, test=0.1), [16, 2, 2]),
        (SplitConfig(train=0.7, valid=0.17, test=0.13), [15, 3, 2]),
        (SplitConfig(train=0.5, valid=0.25, test=0), [10, 5, 0]),
        (SplitConfig(train=1.0, valid=0, test=0), [20, 0, 0]),
        (SplitConfig(train=0.5, valid=3, test=4), [10, 3, 4]),
    ],
)
def test_fractions(index: FrameIndex, config: SplitConfig, expected: list[int]) -> None:
    assert sizes(make_split(index, config)) == expected


def test_depends_on_the_seed_and_not_on_the_order_of_frames(
    frames: list[Frame], index: FrameIndex
) -> None:
    split = make_split(index, COUNTS)
    turned = make_split(index_of(frames[19::-1]), COUNTS)
    assert assigned(turned) == assigned(split)
    np.testing.assert_array_equal(turned.digests["train"], split.digests["train"])
    other_seed = make_split(index, COUNTS.model_copy(update={"seed": 4}))
    assert assigned(other_seed) != assigned(split)


def test_the_choice_is_random() -> None:
    """Of many frames, each split gets its share of any part of the files."""
    digests = np.random.default_rng(0).integers(0, 256, (20000, 32), dtype=np.uint8)
    index = replace(
        index_of(ethanol_frames(1)),
        **{
            name: np.zeros(20000, dtype=int)
            for name in ("file", "index", "flags", "dropped_by", "composition", "group")
        },
        digest=digests,
    )
    split = make_split(index, SplitConfig(seed=1))
    for name, share in (("train", 0.8), ("valid", 0.1), ("test", 0.1)):
        of_parts = np.bincount(split.rows[name] // 5000) / 5000
        np.testing.assert_allclose(of_parts, share, atol=5 * np.sqrt(share * (1 - share) / 5000))
    halves = split.rows["train"][:8000], split.rows["train"][8000:]
    assert abs(halves[0].mean() - halves[1].mean()) < 5 * 20000 / np.sqrt(12 * 8000) * np.sqrt(2)


def test_a_smaller_training_set_is_a_subset_and_the_others_stay(index: FrameIndex) -> None:
    large, small = (
        make_split(index, SplitConfig(train=train, valid=2, test=3)) for train in (12, 5)
    )
    np.testing.assert_array_equal(large.rows["train"][:5], small.rows["train"])
    for name in ("valid", "test"):
        np.testing.assert_array_equal(large.rows[name], small.rows[name])
        assert (np.diff(small.rows[name]) > 0).all()


def test_copies_of_a_structure_stay_together() -> None:
    index = index_of(frames_of([ethanol(seed) for seed in range(8) for _ in range(3)]))
    split = make_split(index, SplitConfig(train=10, valid=5, test=4))
    assert sizes(split) == [10, 5, 4]
    places = [{d.tobytes() for d in split.digests[name]} for name in SPLITS]
    assert not places[0] & places[1]
    assert not places[0] & places[2]
    assert not places[1] & places[2]


def test_free_atoms_and_dropped_frames_are_in_no_split(index: FrameIndex) -> None:
    flags, dropped_by = index.flags.copy(), index.dropped_by.copy()
    flags[3], dropped_by[7] = flags[3] | 1, 1
    split = make_split(
        replace(index, flags=flags, dropped_by=dropped_by, drop_reasons=("duplicates",)),
        SplitConfig(train=1.0, valid=0, test=0),
    )
    assert set(range(20)) - set(split.rows["train"].tolist()) == {3, 7}


def test_known_frames_stay_where_they_are(frames: list[Frame]) -> None:
    config = SplitConfig(train=0.6, valid=0.2, test=0.2)
    before = make_split(index_of(frames[:10]), config)
    after = make_split(index_of(frames[5:20] + frames[:5]), config, before)
    assert assigned(after).items() >= assigned(before).items()
    assert sizes(after) == [12, 4, 4]
    # The old frames come first, so samples of a given size stay what they were.
    np.testing.assert_array_equal(after.digests["train"][:6], before.digests["train"])


def test_a_split_that_has_grown_is_made_again_as_it_is(frames: list[Frame]) -> None:
    config = SplitConfig(train=0.6, valid=0.2, test=0.2)
    split = None
    for size in (10, 15, 20):
        index = index_of(frames[:size])
        split = make_split(index, config, split)
        again = make_split(index, config, split)
        for name in SPLITS:
            np.testing.assert_array_equal(again.rows[name], split.rows[name])
    fewer = make_split(index_of(frames[:12]), config, split)
    assert split is not None
    is_left = np.isin(as_keys(split.digests["train"]), as_keys(fewer.digests["train"]))
    np.testing.assert_array_equal(split.digests["train"][is_left], fewer.digests["train"])


def test_previous_split_of_other_settings_is_not_kept(index: FrameIndex) -> None:
    before = make_split(index, COUNTS)
    other = COUNTS.model_copy(update={"seed": 5})
    assert assigned(make_split(index, other, before)) == assigned(make_split(index, other))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SplitConfig(train=0, valid=2, test=2), "the training set is empty"),
        (SplitConfig(train=18, valid=2, test=1), "too few frames: there are 20, .* needs 21"),
        (SplitConfig(train=0.9, valid=0.01, test=0.05), "valid: 0.01 of 20 frames is none"),
        (SplitConfig(train=0.9, valid=0.05, test=3), "too few frames"),
        (SplitConfig(test={"files": ["z.xyz"]}), r"test: z.xyz is not a file .*\(a.xyz\)"),
        (SplitConfig(train=0.5, valid=0, test={"files": ["a.xyz"]}), "0.5 of 0 frames is none"),
    ],
)
def test_impossible_splits(index: FrameIndex, config: SplitConfig, message: str) -> None:
    with pytest.raises(UserError, match=f"^split: .*{message}"):
        make_split(index, config)


def test_too_few_different_structures() -> None:
    index = index_of(frames_of([ethanol(0)] * 6 + [ethanol(1)]))
    with pytest.raises(UserError, match="7 frames hold 2 different structures"):
        make_split(index, SplitConfig(train=4, valid=2, test=1))


@pytest.mark.parametrize("share", [-1, -0.5, 1.5, True, "many", {"file": ["a"]}, {"files": []}])
def test_senseless_shares(share: Any) -> None:
    with pytest.raises(ValidationError):
        SplitConfig(train=share)


def test_fractions_are_of_one() -> None:
    with pytest.raises(ValidationError, match=r"train: 0.8, valid: 0.2, test: 0.1\) exceed 1"):
        SplitConfig(train=0.8, valid=0.2, test=0.1)
    SplitConfig(train=0.8, valid=0.1, test=0.1)  # whose sum in floating point is above 1


def test_a_file_belongs_to_one_split() -> None:
    with pytest.raises(ValidationError, match=r"a.xyz is named twice"):
        SplitConfig(train={"files": ["a.xyz"]}, test={"files": ["b.xyz", "a.xyz"]})


# By files


def test_by_files(frames: list[Frame]) -> None:
    index = index_of(frames[:20], frames[20:30], frames[30:])
    config = SplitConfig(train=0.75, valid=0.25, test={"files": ["b.xyz", "c.xyz"]})
    split = make_split(index, config)
    assert split.rows["test"].tolist() == list(range(20, 40))
    assert sizes(split) == [15, 5, 20]
    assert split.rows["train"].max() < 20
    given = make_split(
        index,
        SplitConfig(
            train={"files": ["a.xyz"]}, valid={"files": ["b.xyz"]}, test={"files": ["c.xyz"]}
        ),
    )
    assert sizes(given) == [20, 10, 10]
    assert sorted(given.rows["train"].tolist()) == list(range(20))
    assert given.rows["train"].tolist() != list(range(20))


@pytest.mark.parametrize("action", ["warn", "drop", "error", "ignore"])
def test_leakage_between_files(frames: list[Frame], action: Any) -> None:
    index = index_of(frames[:20], frames[15:25], frames[24:30])
    config = SplitConfig(
        train={"files": ["a.xyz"]},
        valid={"files": ["b.xyz"]},
        test={"files": ["c.xyz"]},
        leakage=action,
    )
    if action == "error":
        with pytest.raises(UserError, match=r"leakage: 1 frame of valid and 5 frames of train"):
            make_split(index, config)
        return
    split = make_split(index, config)
    assert sizes(split) == ([15, 9, 6] if action == "drop" else [20, 10, 6])
    if action == "ignore":
        assert split.findings == []
        return
    (finding,) = split.findings
    assert (finding.action, finding.count) == (action, 6)
    assert finding.frames[0] == {"file": "a.xyz", "index": 15}
    assert finding.frames[-1] == {"file": "b.xyz", "index": 24}


# By groups


def test_groups_stay_together() -> None:
    index = grouped({str(number): 5 for number in range(8)})
    split = make_split(index, SplitConfig(train=0.7, valid=0.15, test=0.15, group_by="config_type"))
    assert sizes(split) == [30, 5, 5]
    groups = [set(index.group[split.rows[name]].tolist()) for name in SPLITS]
    assert [len(names) for names in groups] == [6, 1, 1]
    assert len(set.union(*groups)) == 8
    # Within the training set frames of all groups are mixed, for samples of it.
    assert len(set(index.group[split.rows["train"][:10]].tolist())) > 2


def test_numbers_are_the_most_that_a_split_of_groups_gets() -> None:
    index = grouped({"large": 15, "middle": 4, "small": 3})
    split = make_split(index, SplitConfig(train=10, valid=4, test=3, group_by="config_type"))
    assert sizes(split) == [10, 4, 3]
    assert split.unused == 5


def test_groups_that_fit_nowhere() -> None:
    index = grouped({"one": 10, "two": 10})
    with pytest.raises(
        UserError,
        match=r"valid: no group of config_type fits into 4 frames; .* 2 groups of 10 to 10 frames",
    ):
        make_split(index, SplitConfig(train=0.6, valid=0.2, test=0.2, group_by="config_type"))


def test_new_frames_of_a_group_go_where_it_is() -> None:
    sizes_before = {str(number): 4 for number in range(6)}
    config = SplitConfig(train=0.6, valid=0.2, test=0.2, group_by="config_type")
    before = make_split(grouped(sizes_before), config)
    index = grouped(sizes_before | {"5": 12, "new": 4})
    after = make_split(index, config, before)
    assert assigned(after).items() >= assigned(before).items()
    groups = [set(index.group[after.rows[name]].tolist()) for name in SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups))


@pytest.mark.parametrize("group_by", ["composition", "file"])
def test_by_composition_or_file(group_by: str) -> None:
    structures = [make(seed) for make in (ethanol, water, copper) for seed in range(6)]
    frames = frames_of(structures)
    parts = [frames[:6], frames[6:12], frames[12:]]
    index = index_of(*parts) if group_by == "file" else index_of(frames)
    split = make_split(
        index,
        SplitConfig(train=6, valid=6, test=6, group_by=group_by, unseen_elements="warn"),
    )
    ids = index.composition if group_by == "composition" else index.file
    assert [len(set(ids[split.rows[name]].tolist())) for name in SPLITS] == [1, 1, 1]


# Elements


@pytest.mark.parametrize("action", ["warn", "drop", "error"])
def test_elements_that_training_lacks(action: Any) -> None:
    organic = ethanol_frames(10)
    index = index_of(organic[:8], [*organic[8:], *frames_of([copper(0)])])
    config = SplitConfig(
        train={"files": ["a.xyz"]}, valid=0, test={"files": ["b.xyz"]}, unseen_elements=action
    )
    if action == "error":
        with pytest.raises(UserError, match=r"unseen elements: 1 frame of test have .* \(Cu\)"):
            make_split(index, config)
        return
    split = make_split(index, config)
    assert [finding.frames for finding in split.findings] == [[{"file": "b.xyz", "index": 0}]]
    assert sizes(split) == [8, 0, 2 if action == "drop" else 3]


# Files


def test_file_round_trip(tmp_path: Path, index: FrameIndex) -> None:
    path = tmp_path / "split.json"
    split = make_split(index, COUNTS)
    write_split(path, split)
    again = load_split(path)
    for name in SPLITS:
        np.testing.assert_array_equal(again.rows[name], split.rows[name])
        np.testing.assert_array_equal(again.digests[name], split.digests[name])
        np.testing.assert_array_equal(read_split(path)[name], split.rows[name])
        assert split_size(path, name) == len(split.rows[name])
    assert (again.settings, again.unused, again.findings) == (split.settings, 11, [])
    content = json.loads(path.read_text())
    assert content["sizes"] == {"train": 6, "valid": 2, "test": 1, "unused": 11}


def test_findings_are_in_the_file(tmp_path: Path, frames: list[Frame]) -> None:
    config = SplitConfig(train={"files": ["a.xyz"]}, valid=0, test={"files": ["b.xyz"]})
    split = make_split(index_of(frames[:10], frames[9:12]), config)
    write_split(tmp_path / "split.json", split)
    assert load_split(tmp_path / "split.json").findings == split.findings != []


def test_same_bytes_every_time(tmp_path: Path, index: FrameIndex) -> None:
    for name in ("a", "b"):
        write_split(tmp_path / name / "split.json", make_split(index, COUNTS))
    for file in ("split.json", "split.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_different_split_is_kept_beside_the_new_one(tmp_path: Path, index: FrameIndex) -> None:
    path = tmp_path / "split.json"
    write_split(path, make_split(index, COUNTS))
    before = load_split(path)
    old = path.read_bytes()
    write_split(path, make_split(index, COUNTS))
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["split.json", "split.safetensors"]
    write_split(path, make_split(index, COUNTS.model_copy(update={"seed": 9})))
    assert load_split(path).settings["seed"] == 9
    (kept,) = tmp_path.glob("split-*.json")
    assert kept.read_bytes() == old
    assert assigned(load_split(kept)) == assigned(before)


def test_a_writer_that_is_killed_between_its_files_loses_nothing(
    tmp_path: Path, index: FrameIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "split.json"
    write_split(path, make_split(index, COUNTS))
    before = load_split(path)
    new = make_split(index, COUNTS.model_copy(update={"seed": 9}))
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr("mlip_core.data.splits.split.write_json", _killed)
            with pytest.raises(InterruptedError):
                write_split(path, new)
        with pytest.raises(UserError, match="does not belong to"):
            load_split(path)
        previous = load_previous_split(path)
        assert previous is not None
        assert assigned(previous) == assigned(before)
    write_split(path, new)
    assert assigned(load_split(path)) == assigned(new)
    (kept,) = tmp_path.glob("split-*.json")
    assert assigned(load_split(kept)) == assigned(before)


def _killed(*arguments: object) -> None:
    raise InterruptedError(arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a split file"),
        ("[1]", "not a split file"),
        (json.dumps({"format": "something"}), "not a split file"),
        (json.dumps({"format": "mlip_core split", "version": 99}), "version 99"),
    ],
)
def test_files_that_are_no_split(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_split(path)


def test_missing_and_foreign_files(tmp_path: Path, index: FrameIndex) -> None:
    path, other = tmp_path / "split.json", tmp_path / "other" / "split.json"
    with pytest.raises(UserError, match="no such file"):
        read_split(path)
    write_split(path, make_split(index, COUNTS))
    write_split(other, make_split(index, COUNTS.model_copy(update={"seed": 9})))
    other.with_suffix(".safetensors").replace(path.with_suffix(".safetensors"))
    with pytest.raises(UserError, match=r"split.safetensors: does not belong to .*split.json"):
        load_split(path)
    path.with_suffix(".safetensors").unlink()
    with pytest.raises(UserError, match=r"split.safetensors: no such file"):
        load_split(path)
