"""The files of runs and datasets, read; what is not there is left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlip_core.data.shards import Shard, read_shard
from mlip_core.data.splits import SPLITS
from mlip_core.evaluation import Evaluation, read_evaluation
from mlip_core.report.inputs import DatasetInputs, RunInputs


@dataclass(frozen=True)
class NveOutcome:
    """Dynamics at constant energy: the content of ``nve.json`` and ``nve.csv``."""

    summary: dict[str, Any]
    trace: pd.DataFrame


@dataclass(frozen=True)
class RunResults:
    """One run's files; ``None`` or empty for those that are not there."""

    inputs: RunInputs
    is_best: bool
    evaluations: Mapping[str, Evaluation]
    nve: NveOutcome | None
    history: pd.DataFrame
    timing: pd.DataFrame
    provenance: dict[str, Any]
    config: str

    @property
    def name(self) -> str:
        """The run's name."""
        return self.inputs.name


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


def read_run(inputs: RunInputs, is_best: bool) -> RunResults:
    """Read all files of a run."""
    directory = inputs.directory
    return RunResults(
        inputs=inputs,
        is_best=is_best,
        evaluations={
            name: read_evaluation(path)
            for name, path in inputs.evaluations.items()
            if (path / "predictions.extxyz").exists()
        },
        nve=_read_nve(inputs.nve),
        history=_read_table(directory / "metrics.csv"),
        timing=_read_table(directory / "timing.csv"),
        provenance=_read_json(directory / "provenance.json"),
        config=_read_text(directory / "config.yaml"),
    )


def read_dataset(inputs: DatasetInputs) -> DatasetResults:
    """Read all files of a dataset but its structures."""
    directory = inputs.directory
    return DatasetResults(
        inputs=inputs,
        info=_read_json(directory / "dataset_info.json"),
        quality=_read_json(directory / "quality.json"),
        split=_read_json(directory / "splits" / "split.json"),
        manifests={
            name: manifest
            for name in SPLITS
            if (manifest := _read_json(directory / "shards" / name / "manifest.json"))
        },
    )


def read_labels(dataset: DatasetResults, split: str) -> dict[str, np.ndarray]:
    """Labels of a split from its shards, for plots; empty if there are none.

    Returns:
        ``energy``, interaction energies ``[n_structures]``, eV/atom, and ``force``, sizes of the
        forces ``[n_atoms]``, eV/Å.
    """
    directory = dataset.inputs.directory / "shards" / split
    files = [entry["file"] for entry in dataset.manifests.get(split, {}).get("shards", [])]
    shards = [read_shard(directory / file) for file in files]
    parts = [_shard_labels(shard, dataset.info) for shard in shards if len(shard)]
    names = parts[0] if parts else ()
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _shard_labels(shard: Shard, info: Mapping[str, Any]) -> dict[str, np.ndarray]:
    segment = shard.segment
    labels = {}
    if segment.energy is not None:
        by_number = np.zeros(256)
        for z, energy in info["atomic_energies_map"].items():
            by_number[int(z)] = energy
        of_atoms = np.add.reduceat(by_number[segment.codes], segment.node_ends - segment.n_node)
        interaction = (segment.energy - of_atoms) / segment.n_node
        labels["energy"] = interaction[~np.isnan(interaction)]
    if segment.forces is not None:
        sizes = np.linalg.norm(segment.forces, axis=1)
        labels["force"] = sizes[~np.isnan(sizes)]
    return labels


def _read_nve(directory: Path) -> NveOutcome | None:
    summary = _read_json(directory / "nve.json")
    trace = _read_table(directory / "nve.csv")
    return None if trace.empty or not summary else NveOutcome(summary, trace)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(_read_text(path) or "{}")


def _read_table(path: Path) -> pd.DataFrame:
    if not path.exists() or not path.stat().st_size:
        return pd.DataFrame()
    return pd.read_csv(path)
