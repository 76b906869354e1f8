"""Which frame is for training, validation or test: decided once, written to a file, kept."""

import math
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from mlip_core.data.frames import Frame
from mlip_core.data.versioned_json import JsonFormat
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, write_json
from mlip_core.utils.seeds import derive_seed

SPLITS = ("train", "valid", "test")
_UNUSED = "unused"
_SPLIT = JsonFormat("mlip_core split", 1, "split file", "make the split; move the old file away")

Share = Annotated[StrictInt, Field(ge=0)] | Annotated[StrictFloat, Field(ge=0, le=1)]


class SplitConfig(BaseModel):
    """How many frames each split gets.

    Attributes:
        train: number of frames if an integer, fraction of all if a float in (0, 1].
        valid: the same; 0 for none.
        test: the same; 0 for none.
        seed: decides which.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Share = 0.8
    valid: Share = 0.1
    test: Share = 0.1
    seed: int = 0


def make_split(
    frames: Sequence[Frame], config: SplitConfig, previous: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Assign every frame to a split.

    Frames are ranked by a hash of the seed and their structure, and the splits filled in the order
    test, valid, train, so neither the order of the frames nor the platform matters. Frames of the
    same structure go into the same split; copies that exceed the number asked for stay unused. With
    a ``previous`` split of the same settings, frames known to it stay where they are and new ones
    fill what is missing.

    Args:
        frames: all frames.
        config: the sizes and the seed.
        previous: what an earlier call returned.

    Returns:
        What :func:`write_split` writes: settings, and digest and split ("train", "valid", "test" or
        "unused") of each frame.

    Raises:
        UserError: if the training set is empty or there are too few frames.
    """
    sizes = _sizes(config, len(frames))
    settings = config.model_dump()
    known = _known_assignment(previous, settings)
    groups: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(frame.digest, []).append(index)
    assignment = [_UNUSED] * len(frames)
    room = dict(sizes)
    ranked = sorted(groups, key=lambda digest: _rank(config.seed, digest))
    for digest in (digest for digest in ranked if digest in known):
        _assign(groups[digest], known[digest], assignment, room)
    for digest in (digest for digest in ranked if digest not in known):
        target = next((name for name in reversed(SPLITS) if room[name] > 0), _UNUSED)
        _assign(groups[digest], target, assignment, room)
    _require_filled(room, sizes, len(frames), len(groups))
    return {
        **_SPLIT.header,
        "settings": settings,
        "frames": [
            {"digest": frame.digest, "split": split}
            for frame, split in zip(frames, assignment, strict=True)
        ],
    }


def write_split(path: str | os.PathLike[str], split: Mapping[str, Any]) -> None:
    """Write a split; an older one that differs is kept beside it as ``split-<hash>.json``."""
    path = Path(path)
    if path.exists():
        old = path.read_bytes()
        if load_split(path) == split:
            return
        kept = path.with_name(f"{path.stem}-{sha256(old).hexdigest()[:8]}{path.suffix}")
        with atomic_path(kept) as temporary:
            temporary.write_bytes(old)
    write_json(path, split)


def load_split(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`make_split` returned, from a file.

    Raises:
        UserError: if the file is missing or is something else.
    """
    return _SPLIT.read(path)


def read_split(path: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Indices of the frames of "train", "valid" and "test"."""
    rows = load_split(path)["frames"]
    return {
        name: [index for index, row in enumerate(rows) if row["split"] == name] for name in SPLITS
    }


def select_frames(frames: Sequence[Frame], path: str | os.PathLike[str], name: str) -> list[Frame]:
    """The frames of one split.

    Raises:
        UserError: if the split file was made for other frames.
    """
    digests = [row["digest"] for row in load_split(path)["frames"]]
    if digests != [frame.digest for frame in frames]:
        raise UserError(f"{path}: was made for other frames than those given; make the split again")
    return [frames[index] for index in read_split(path)[name]]


def _sizes(config: SplitConfig, n_frames: int) -> dict[str, int]:
    shares = {name: getattr(config, name) for name in SPLITS}
    fractions = [share for share in shares.values() if isinstance(share, float)]
    if any(share > 1 for share in fractions) or math.fsum(fractions) > 1 + 1e-9:
        raise UserError(f"split: the fractions {shares} exceed 1; give fractions that add up to 1")
    sizes = {
        name: int(share * n_frames + 1e-9) if isinstance(share, float) else share
        for name, share in shares.items()
    }
    # Rounding down leaves a frame or two over; if all are to be used, they are for training.
    if len(fractions) == len(SPLITS) and math.fsum(fractions) > 1 - 1e-9:
        sizes["train"] = n_frames - sizes["valid"] - sizes["test"]
    for name, share in shares.items():
        if share and not sizes[name]:
            raise UserError(
                f"split: {name}: {share} of {n_frames} frames is none; give more frames"
            )
    if sizes["train"] < 1:
        raise UserError("split: the training set is empty; set train to at least 1")
    if sum(sizes.values()) > n_frames:
        wanted = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise UserError(
            f"split: too few frames: there are {n_frames}, the split needs {sum(sizes.values())}"
            f" ({wanted}); ask for fewer or give more frames"
        )
    return sizes


def _known_assignment(
    previous: Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> dict[str, str]:
    if previous is None or previous.get("settings") != settings:
        return {}
    known: dict[str, str] = {}
    for row in previous["frames"]:
        if row["split"] != _UNUSED:
            known[row["digest"]] = row["split"]
    return known


def _rank(seed: int, digest: str) -> tuple[int, str]:
    return derive_seed(seed, "split", digest), digest


def _assign(indices: list[int], name: str, assignment: list[str], room: dict[str, int]) -> None:
    if name == _UNUSED:
        return
    for index in indices[: room[name]]:
        assignment[index] = name
        room[name] -= 1


def _require_filled(
    room: Mapping[str, int], sizes: Mapping[str, int], n_frames: int, n_structures: int
) -> None:
    for name, missing in room.items():
        if missing:
            raise UserError(
                f"split: too few different frames: {name} needs {sizes[name]} and gets"
                f" {sizes[name] - missing}; {n_frames} frames hold {n_structures} different"
                " structures; ask for fewer or give more frames"
            )
