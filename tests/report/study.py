"""A small study's files, written by the code that writes them in earnest.

Run as a program it makes a study and its report: ``python -m tests.report.study DIRECTORY``.
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_core.data.frames import Frame, read_frames
from mlip_core.data.quality import check_frames
from mlip_core.data.shards import ShardPlan, gather, write_shards
from mlip_core.data.splits import SplitConfig, make_split, read_split, write_split
from mlip_core.evaluation import (
    EvaluatedStructure,
    Evaluation,
    Values,
    compute_metrics,
    write_evaluation,
)
from mlip_core.report import ReportInputs, build_report
from mlip_core.simulation.nve import run_nve, write_nve
from mlip_core.simulation.nve_config import NveConfig
from mlip_core.study.run_config import RunConfig
from mlip_core.training.history import History, write_table
from mlip_core.utils.files import write_json, write_text

DATASET = "ethanol"
ATOMIC_ENERGIES: dict[str | int, float] = {1: -13.6, 6: -1027.5, 8: -2041.8}
SPLIT = SplitConfig(train=60, valid=10, test=30, seed=1)
RUNS = {"default": 0.02, "wide-cutoff": 0.035}
"""The force error of each run, eV/Å."""


def make_study(results: Path, runs: dict[str, float] | None = None) -> ReportInputs:
    """Write a study into ``results``."""
    runs = runs or RUNS
    frames = _write_dataset(results / "datasets" / DATASET)
    indices = read_split(results / "datasets" / DATASET / "splits" / "split.json")["test"]
    test = [frames[index] for index in indices]
    for number, (run, error) in enumerate(runs.items()):
        _write_run(results, run, error, number)
        write_evaluation(results / "evaluation" / run / "test", _evaluation(test, error, number))
        _write_dynamics(results / "evaluation" / run, number)
    (results / "models" / "best.zip").write_bytes(b"a model")
    return ReportInputs.from_results(
        results, dict.fromkeys(runs, DATASET), next(iter(runs)), "Ethanol with GFN2-xTB"
    )


def _write_dataset(directory: Path) -> list[Frame]:
    directory.mkdir(parents=True)
    path = directory / "reference.extxyz"
    ase.io.write(path, [_labelled(seed) for seed in range(110)])
    frames = read_frames(path)
    report, index = check_frames(frames)
    write_json(directory / "quality.json", report.to_json())
    write_split(directory / "splits" / "split.json", make_split(index, SPLIT))
    _write_shards(directory, frames)
    return frames


def _write_shards(directory: Path, frames: list[Frame]) -> None:
    indices = read_split(directory / "splits" / "split.json")
    parts = {name: directory / "parts" / name for name in indices}
    for name, path in parts.items():
        selected = [frames[index] for index in indices[name]]
        plan = ShardPlan(len(selected), 50)
        write_shards(path, selected, plan, range(plan.n_shards), cutoff_angstrom=5.0)
    gather(
        {name: [path] for name, path in parts.items()}, directory, atomic_energies=ATOMIC_ENERGIES
    )


def _labelled(seed: int) -> Atoms:
    """A rattled molecule whose labels are those of springs to where it was."""
    atoms = molecule("CH3CH2OH")
    displacement = np.random.default_rng(seed).normal(scale=0.05, size=(len(atoms), 3))
    displacement -= displacement.mean(axis=0)
    atoms.positions += displacement
    energy = sum(ATOMIC_ENERGIES[z] for z in atoms.numbers) - 30.0
    energy += 12.0 * float((displacement**2).sum())
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=-24.0 * displacement)
    return atoms


def _evaluation(frames: list[Frame], error: float, seed: int) -> Evaluation:
    rng = np.random.default_rng(seed)
    structures = [_evaluated(frame, error, rng) for frame in frames]
    return Evaluation(structures, {**compute_metrics(structures), "n_parameters": 34567})


def _evaluated(frame: Frame, error: float, rng: np.random.Generator) -> EvaluatedStructure:
    assert frame.energy is not None
    assert frame.forces is not None
    free_atoms = sum(ATOMIC_ENERGIES[z] for z in frame.numbers)
    energy = frame.energy + rng.normal(scale=0.1 * error)
    return EvaluatedStructure(
        atoms=frame.atoms,
        reference=Values(frame.energy, frame.energy - free_atoms, frame.forces),
        predicted=Values(
            energy,
            energy - free_atoms,
            frame.forces + rng.normal(scale=error, size=frame.forces.shape),
        ),
        source=f"{Path(frame.file).name}:{frame.index}",
    )


def _write_dynamics(directory: Path, seed: int) -> None:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    write_nve(directory, run_nve(EMT(), atoms, NveConfig(time_fs=250.0, timestep_fs=2.5), seed))


def _write_run(results: Path, name: str, error: float, seed: int) -> None:
    directory = results / "runs" / name
    history = _history(error, np.random.default_rng(seed))
    write_table(directory / "metrics.csv", history.metrics)
    write_table(directory / "timing.csv", history.timing)
    run = RunConfig.model_validate({"dataset": DATASET, "training": {"num_epochs": 40}})
    config = run.model_dump(mode="json") | {"seed": 42 + seed}
    write_text(directory / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    provenance = {
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:06+00:00",
        "config": config,
        "devices": ["TFRT_CPU_0"],
        "best_epoch": 38,
        "inputs": {},
        "versions": {"python": "3.11.2", "mlip-core": "0.1.0", "jax": "0.10.2"},
        "host": {"name": "node7", "platform": "Linux-6.1.0-x86_64"},
        "command": ["train"],
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "modified": False},
    }
    write_json(directory / "provenance.json", provenance)
    model = results / "models" / f"{name}.zip"
    model.parent.mkdir(parents=True, exist_ok=True)
    model.write_bytes(json.dumps([name, error]).encode())


def _history(error: float, rng: np.random.Generator) -> History:
    history = History()
    for epoch in range(41):
        for prefix, gap in (("train_", 1.0), ("valid_", 1.15)):
            if epoch or prefix == "valid_":
                scale = (
                    gap * error * (1.0 + 30.0 * np.exp(-epoch / 6.0)) * rng.lognormal(sigma=0.05)
                )
                history.add_metrics(epoch, prefix, _metrics(scale))
        if epoch:
            history.add_timing(epoch, {"runtime_in_seconds": 1.3, "graphs_per_second": 46.0})
    return history


def _metrics(force_error: float) -> dict[str, float]:
    energy_error = 0.1 * force_error
    return {
        "loss": 25.0 * force_error**2 + (energy_error / 9.0) ** 2,
        "mse_f": force_error**2,
        "mse_e": energy_error**2,
        "mse_e_per_atom": (energy_error / 9.0) ** 2,
    }


if __name__ == "__main__":
    root = Path(sys.argv[1])
    build_report(root / "report", make_study(root))
