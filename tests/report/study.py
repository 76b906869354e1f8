"""A small study's files, written by the code that writes them in earnest.

Run as a program it makes a study and its report: ``python -m tests.report.study DIRECTORY``.
"""

import json
import os
import sys
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import yaml
from ase import Atoms
from ase.build import molecule
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
from mlip_core.physics.config import DimersConfig, NveConfig, VibrationsConfig
from mlip_core.physics.result import CheckResult, Plot, Quantity, write_result
from mlip_core.report import Evaluated, ReportInputs, build_report
from mlip_core.study.run_config import RunConfig
from mlip_core.training.history import History, write_table
from mlip_core.utils.files import write_json, write_text

DATASET = "ethanol"
ATOMIC_ENERGIES: dict[str | int, float] = {1: -13.6, 6: -1027.5, 8: -2041.8}
SPLIT = SplitConfig(train=60, valid=10, test=30, seed=1)
RUNS = {"default": 0.02, "wide-cutoff-seed_1": 0.035, "wide-cutoff-seed_2": 0.031}
"""The force error of each run, eV/Å."""
BASELINE = "springs"
TESTSETS = ("test", "hot")
EVALUATED = Evaluated(TESTSETS, checks=["nve", "dimers", "vibrations"], cost=True)
HOSTILE = "<script>alert('$x_{')</script>"
"""The ``config_type`` of every third structure."""
ORIGIN = {
    "description": "Rattled ethanol <b>&amp;</b> springs",
    "level_of_theory": "harmonic",
    "licence": "CC-BY-4.0",
}


def make_study(results: Path) -> ReportInputs:
    """Write a study into ``results``."""
    frames = _write_dataset(results / "datasets" / DATASET)
    indices = read_split(results / "datasets" / DATASET / "splits" / "split.json")["test"]
    test = [frames[index] for index in indices]
    for number, (entry, error) in enumerate({**RUNS, BASELINE: 0.015}.items()):
        if entry in RUNS:
            _write_run(results, entry, error, number)
        directory = results / "evaluation" / entry
        for testset, scale in zip(TESTSETS, (1.0, 2.5), strict=True):
            evaluation = _evaluation(test, scale * error, number, entry in RUNS)
            write_evaluation(directory / testset, evaluation)
        _write_physics(directory / "physics", passes=entry == "default", seed=number)
        _write_cost(directory / "cost.json", error)
    _write_choice(results / "models")
    _write_benchmarks(results / "benchmarks")
    return inputs_of(results)


def inputs_of(results: Path, title: str = "Ethanol with springs") -> ReportInputs:
    """What the report of the study is made of."""
    return ReportInputs.from_results(
        results,
        runs=dict.fromkeys(RUNS, DATASET),
        baselines=[BASELINE],
        evaluated=EVALUATED,
        origins={DATASET: ORIGIN},
        title=title,
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


def _evaluation(frames: list[Frame], error: float, seed: int, is_model: bool) -> Evaluation:
    rng = np.random.default_rng(seed)
    structures = [_evaluated(i, frame, error, rng) for i, frame in enumerate(frames)]
    metrics = compute_metrics(structures, n_resamples=100)
    return Evaluation(structures, {**metrics, "n_parameters": 34567 if is_model else None})


def _evaluated(
    index: int, frame: Frame, error: float, rng: np.random.Generator
) -> EvaluatedStructure:
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
        config_type="md" if index % 3 else HOSTILE,
    )


def _write_physics(directory: Path, passes: bool, seed: int) -> None:
    """One check with a trace, one with groups of lines, one that does not apply."""
    time = np.arange(0.0, 250.0, 2.5)
    energy = np.random.default_rng(seed).normal(scale=0.02, size=time.size)
    drift = 0.03 if passes else 4.5
    trace = pd.DataFrame({"time_fs": time, "energy_mev_per_atom": energy + drift * time / 250.0})
    result = CheckResult(
        quantities=[
            Quantity.at_most("drift", drift, 1.0, "meV/atom"),
            Quantity.shown("mean temperature", 299.0, "K"),
        ],
        table=trace,
        plots=[Plot("Energy", "time_fs", ["energy_mev_per_atom"], "time (fs)", "E (meV/atom)")],
    )
    write_result(directory, "nve", "Dynamics at constant energy", NveConfig(), result)
    distance = np.linspace(0.8, 4.0, 40)
    curves = pd.concat(
        pd.DataFrame({"pair": pair, "distance": distance, "energy_ev": depth / distance**6})
        for pair, depth in (("C-H", 0.5), ("C-C", 1.5), ("H-H", 0.2))
    )
    plot = Plot("Dimers", "distance", ["energy_ev"], "distance (Å)", "energy (eV)", group="pair")
    hole = Quantity.at_most("deepest hole", 0.0, 0.1, "eV")
    write_result(
        directory, "dimers", "Dimer curves", DimersConfig(), CheckResult([hole], curves, [plot])
    )
    write_result(
        directory,
        "vibrations",
        "Vibrations",
        VibrationsConfig(),
        CheckResult.not_applicable("No structure is small enough."),
    )


def _write_cost(path: Path, error: float) -> None:
    rows = [
        {
            "n_atoms": n_atoms,
            "seconds_per_step": seconds,
            "microseconds_per_atom": 1e6 * seconds / n_atoms,
            "steps_per_second": 1.0 / seconds,
        }
        for n_atoms, seconds in ((9, 4e-5 / error), (36, 1e-4 / error), (144, 3e-4 / error))
    ]
    write_json(path, {"rows": rows, "device": "cpu", "threads": 1})


def _write_choice(models: Path) -> None:
    choice = {
        "run": "default",
        "metric": "loss",
        "values": {run: 25.0 * error**2 for run, error in RUNS.items()},
        "gates": {run: [] if run == "default" else ["nve"] for run in RUNS},
    }
    write_json(models / "best.json", choice)
    (models / "best.zip").write_bytes(b"a model")


def _write_benchmarks(directory: Path) -> None:
    """Two sessions, an hour from each other."""
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    start = 1767322800  # 2026-01-02 03:00 UTC
    jobs = {
        f"check/{DATASET}": (start + 4.0, 3.0),
        **{f"train/{run}": (start + 60.0, 50.0) for run in list(RUNS)[:2]},
        f"train/{list(RUNS)[2]}": (start + 3660.0, 55.0),
        "evaluate/default/test": (start + 3670.0, 0.0),
    }
    for name, (end, seconds) in jobs.items():
        path = directory / f"{name}.tsv"
        memory = "300.5" if seconds else "NA"
        write_text(path, f"{header}{seconds}\t0:00:00\t{memory}\t1\t1\t1\t1\t1\t99.0\t{seconds}\n")
        os.utime(path, (end, end))


def _write_run(results: Path, name: str, error: float, seed: int) -> None:
    directory = results / "runs" / name
    history = _history(error, np.random.default_rng(seed))
    write_table(directory / "metrics.csv", history.metrics)
    write_table(directory / "timing.csv", history.timing)
    run = RunConfig.model_validate({"dataset": DATASET, "training": {"num_epochs": 40}})
    config = run.model_dump(mode="json") | {"seed": 42 + seed}
    if name == "default":
        config["batch_size"] = 7
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
