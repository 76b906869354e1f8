"""The files of entries and datasets, read; what is not there is left out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlip_core.data.shards import Shard, read_shard
from mlip_core.data.splits import SPLITS
from mlip_core.report.inputs import DatasetInputs, EntryInputs


@dataclass(frozen=True)
class CheckResults:
    """One physics check: the content of ``<check>.json`` and the path of its table."""

    name: str
    outcome: dict[str, Any]
    table_path: Path

    @property
    def passed(self) -> bool | None:
        """Whether it passed; ``None`` where it does not apply."""
        passed: bool | None = self.outcome.get("passed")
        return passed

    @property
    def title(self) -> str:
        """What it is called on the page."""
        return str(self.outcome.get("title", self.name))

    def table(self) -> pd.DataFrame:
        """What its figures show."""
        return read_table(self.table_path)


@dataclass(frozen=True)
class EntryResults:
    """One entry's files, but those of single structures; empty for those that are not there.

    Of several test sets the one called ``test`` comes first: it is what is said at the top.
    """

    inputs: EntryInputs
    metrics: Mapping[str, dict[str, Any]]
    checks: Sequence[CheckResults]
    cost: dict[str, Any]
    history: pd.DataFrame
    timing: pd.DataFrame
    provenance: dict[str, Any]
    config: str

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.inputs.name

    @property
    def is_run(self) -> bool:
        """Whether it was trained here."""
        return self.inputs.run is not None

    @property
    def n_parameters(self) -> int | None:
        """Size of the model."""
        found = (metrics.get("n_parameters") for metrics in self.metrics.values())
        return next((n for n in found if n is not None), None)

    @property
    def failed_checks(self) -> list[str]:
        """Names of the physics checks it fails."""
        return [check.name for check in self.checks if check.passed is False]

    @cached_property
    def training_seconds(self) -> float | None:
        """Time spent in all epochs, s."""
        name = "runtime_in_seconds"
        return float(self.timing[name].sum()) if name in self.timing else None

    @property
    def last_epoch(self) -> int | None:
        """The number of epochs trained."""
        return int(self.history["epoch"].max()) if "epoch" in self.history else None


@dataclass(frozen=True)
class DatasetResults:
    """One dataset's files; empty for those that are not there."""

    inputs: DatasetInputs
    info: dict[str, Any]
    quality: dict[str, Any]
    split: dict[str, Any]
    manifests: Mapping[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.inputs.name

    @property
    def summary(self) -> dict[str, Any]:
        """What the check counted."""
        summary: dict[str, Any] = self.quality.get("summary", {})
        return summary


@dataclass(frozen=True)
class Choice:
    """What was chosen as the best run: the content of ``best.json``."""

    run: str | None
    metric: str
    gates: Mapping[str, Sequence[str]]


def read_entry(inputs: EntryInputs) -> EntryResults:
    """Read all files of an entry but its predictions."""
    run = inputs.run
    return EntryResults(
        inputs=inputs,
        metrics={
            name: metrics
            for name, path in sorted(inputs.testsets.items(), key=lambda item: item[0] != "test")
            if (metrics := read_json(path / "metrics.json"))
        },
        checks=_read_checks(inputs),
        cost={} if inputs.cost is None else read_json(inputs.cost),
        history=pd.DataFrame() if run is None else read_table(run / "metrics.csv"),
        timing=pd.DataFrame() if run is None else read_table(run / "timing.csv"),
        provenance={} if run is None else read_json(run / "provenance.json"),
        config="" if run is None else _read_text(run / "config.yaml"),
    )


def read_dataset(inputs: DatasetInputs) -> DatasetResults:
    """Read all files of a dataset but its structures."""
    directory = inputs.directory
    return DatasetResults(
        inputs=inputs,
        info=read_json(directory / "dataset_info.json"),
        quality=read_json(directory / "quality.json"),
        split=read_json(directory / "splits" / "split.json"),
        manifests={
            name: manifest
            for name in SPLITS
            if (manifest := read_json(directory / "shards" / name / "manifest.json"))
        },
    )


def read_choice(path: Path) -> Choice:
    """Read ``best.json``."""
    choice = read_json(path)
    return Choice(
        run=choice.get("run"),
        metric=choice.get("metric", ""),
        gates=choice.get("gates", {}),
    )


@dataclass(frozen=True)
class SplitLabels:
    """What the shards of one split hold, for plots.

    Attributes:
        n_atoms: of each structure, ``[n_structures]``.
        energy: interaction energies of structures that have one, eV/atom.
        force: sizes of the forces on atoms that have one, eV/Å.
        elements: number of atoms by atomic number.
    """

    n_atoms: np.ndarray
    energy: np.ndarray
    force: np.ndarray
    elements: Mapping[int, int]


def read_labels(dataset: DatasetResults, split: str) -> SplitLabels | None:
    """Labels of a split from its shards; ``None`` if there are none."""
    directory = dataset.inputs.directory / "shards" / split
    files = [entry["file"] for entry in dataset.manifests.get(split, {}).get("shards", [])]
    parts = [_shard_labels(read_shard(directory / file), dataset.info) for file in files]
    if not any(part.n_atoms.size for part in parts):
        return None
    numbers = sorted({z for part in parts for z in part.elements})
    return SplitLabels(
        n_atoms=np.concatenate([part.n_atoms for part in parts]),
        energy=np.concatenate([part.energy for part in parts]),
        force=np.concatenate([part.force for part in parts]),
        elements={z: sum(part.elements.get(z, 0) for part in parts) for z in numbers},
    )


def _shard_labels(shard: Shard, info: Mapping[str, Any]) -> SplitLabels:
    segment = shard.segment
    numbers, counts = np.unique(segment.codes, return_counts=True)
    energy = force = np.empty(0)
    if segment.energy is not None and len(shard):
        by_number = np.zeros(256)
        for z, atomic_energy in info["atomic_energies_map"].items():
            by_number[int(z)] = atomic_energy
        of_atoms = np.add.reduceat(by_number[segment.codes], segment.node_ends - segment.n_node)
        interaction = (segment.energy - of_atoms) / segment.n_node
        energy = interaction[~np.isnan(interaction)]
    if segment.forces is not None:
        lengths = np.linalg.norm(segment.forces, axis=1)
        force = lengths[~np.isnan(lengths)]
    elements = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    return SplitLabels(np.array(segment.n_node), energy, force, elements)


def _read_checks(inputs: EntryInputs) -> list[CheckResults]:
    return [
        CheckResults(name, outcome, path.with_suffix(".csv"))
        for name, path in inputs.checks.items()
        if (outcome := read_json(path))
    ]


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty if there is none."""
    content: dict[str, Any] = json.loads(_read_text(path) or "{}")
    return content


def read_table(path: Path) -> pd.DataFrame:
    """The content of a CSV file; empty if there is none."""
    if not path.exists() or not path.stat().st_size:
        return pd.DataFrame()
    return pd.read_csv(path)
