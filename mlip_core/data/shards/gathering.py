"""From the shards that several jobs made to one prepared dataset."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols
from pydantic import TypeAdapter, ValidationError

from mlip_core.data.dataset_info import DatasetInfo, write_dataset_info
from mlip_core.data.shards.files import PART_NAME, SHARD_NAME, remove_shards, shard_name
from mlip_core.data.shards.manifest import MANIFEST_NAME, ShardedSegments, make_manifest
from mlip_core.data.statistics import (
    AtomicEnergies,
    EnergyScale,
    compute_dataset_info,
    find_elements,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, file_digest, remove_unfinished, write_json

_AGAIN = "prepare the dataset again: in a study, with the same command"


def gather(
    parts: Mapping[str, Sequence[str | os.PathLike[str]]],
    directory: str | os.PathLike[str],
    atomic_energies: AtomicEnergies = "least_squares",
    avg_num_neighbors: float | None = None,
    avg_r_min_angstrom: float | None = None,
    energy_scale: EnergyScale = "none",
) -> DatasetInfo:
    """Put the shards of all jobs in one place, and reduce their statistics.

    Shards become ``shards/<split>/shard-….safetensors`` beside a ``manifest.json``, by hard links
    where the file system has them; older ones that are not among them are removed. Shards are read
    one at a time.

    Args:
        parts: the directories that jobs wrote into, by split; "train" must be among them.
        directory: of the dataset; ``dataset_info.json`` is written there, too.
        atomic_energies: "least_squares" (over the training split), or energies in eV by element.
        avg_num_neighbors: instead of the training split's.
        avg_r_min_angstrom: instead of the training split's, Å.
        energy_scale: see :func:`~mlip_core.data.statistics.compute_dataset_info`.

    Raises:
        UserError: if the training split is empty, another split has elements that it lacks, shards
            are missing or were made with different settings, or atomic energies are missing.
    """
    shards = {name: _complete(name, paths) for name, paths in parts.items()}
    splits = {name: ShardedSegments(list(paths)) for name, paths in shards.items()}
    settings = _common_settings(splits)
    info = compute_dataset_info(
        splits["train"],
        settings.get("cutoff_angstrom", 0.0),
        atomic_energies,
        avg_num_neighbors,
        avg_r_min_angstrom,
        energy_scale,
    )
    for name, split in splits.items():
        _require_known_elements(name, split, list(info.atomic_energies_map))
    for name, split in splits.items():
        target = Path(directory, "shards", name)
        manifest = make_manifest(_place(split, target), settings, list(shards[name].values()))
        write_json(target / MANIFEST_NAME, manifest)
    write_dataset_info(Path(directory, "dataset_info.json"), info)
    return info


def _complete(name: str, parts: Sequence[str | os.PathLike[str]]) -> dict[Path, str]:
    """The shards of a split in their order, with their checksums.

    Raises:
        UserError: if one is missing or is not what its job has written.
    """
    files = {path.name: (path, digest) for part in parts for path, digest in _written(Path(part))}
    totals = {int(match[1]) for match in map(SHARD_NAME.fullmatch, files) if match}
    expected = [shard_name(index, total) for total in totals for index in range(total)]
    missing = sorted(set(expected) ^ set(files))
    if missing or len(totals) > 1:
        raise UserError(
            f"split {name}: its shards are not those of one dataset ({(missing or ['mixed'])[0]});"
            " remove the directory of parts and prepare the dataset again"
        )
    return dict(files[file] for file in expected)


def _written(part: Path) -> Iterator[tuple[Path, str]]:
    """The shards that a job has made and their checksums."""
    listing = part / PART_NAME
    try:
        listed = TypeAdapter(dict[str, str]).validate_json(listing.read_bytes(), strict=True)
    except (FileNotFoundError, ValidationError):
        raise UserError(f"{listing}: missing or damaged; remove {part} and {_AGAIN}") from None
    for name, digest in listed.items():
        path = part / name
        if not path.is_file() or file_digest(path) != digest:
            raise UserError(f"{path}: missing or damaged; remove {listing} and {_AGAIN}")
        yield path, digest


def _common_settings(splits: Mapping[str, ShardedSegments]) -> dict[str, Any]:
    """Cutoff and labels of all shards; empty if there is no shard."""
    first: Path | None = None
    settings: dict[str, Any] = {}
    for split in splits.values():
        for shard in split.shards():
            own = {name: shard.metadata[name] for name in ("cutoff_angstrom", "labels")}
            first, settings = (shard.path, own) if first is None else (first, settings)
            for name, value in own.items():
                if value != settings[name]:
                    raise UserError(
                        f"{shard.path}: made with {name} {value}, {first} with {settings[name]};"
                        " remove both and prepare the dataset again"
                    )
    return settings


def _require_known_elements(name: str, split: ShardedSegments, known: Sequence[int]) -> None:
    unknown = [chemical_symbols[z] for z in find_elements(split) if z not in known]
    if unknown:
        raise UserError(
            f"split: {name} has {', '.join(unknown)}, which no training frame has;"
            " change the seed of the split, or add training frames"
        )


def _place(split: ShardedSegments, directory: Path) -> ShardedSegments:
    """Link or copy shards into a directory that has no others afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    remove_shards(directory, keep={path.name for path in split.paths})
    for path in split.paths:
        _link(path, directory / path.name)
    return ShardedSegments([directory / path.name for path in split.paths])


def _link(source: Path, target: Path) -> None:
    if target.exists() and source.samefile(target):
        return
    remove_unfinished(target)
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, temporary)
