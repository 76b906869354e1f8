"""Parts of the report that can be wrong by themselves."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.build import bulk

from mlip_core.report.figure_files import FigureWriter
from mlip_core.report.front import pareto_optimal
from mlip_core.report.predictions import read_predictions
from mlip_core.report.structure_drawings import DrawnStructure, draw_structures
from mlip_core.report.timeline import Job, _lanes, read_jobs


def test_pareto_optimal() -> None:
    x = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
    y = np.array([5.0, 4.0, 3.0, 3.0, 1.0])
    assert pareto_optimal(x, y).tolist() == [True, False, True, False, True]


def test_large_and_periodic_structures_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    solid = bulk("Si", cubic=True) * (5, 5, 5)
    drawn = [DrawnStructure(solid, "$_{", 7), DrawnStructure(Atoms("He"), "one", 0)]
    written = []
    for name in ("a", "b"):
        writer = FigureWriter(tmp_path / name, "x")
        writer.write("figure", draw_structures(drawn), alt="a", caption="b: *c* |d|_")
        written.append((tmp_path / name / "figures/x/figure.svg").read_bytes())
    assert written[0] == written[1]
    assert (tmp_path / "a/figures/x/figure.rst").read_text() == "b\\: \\*c\\* \\|d\\|\\_\n"


def _tables(directory: Path, forces: list[float], energies: list[float]) -> Path:
    n = len(energies)
    directory.mkdir(exist_ok=True)
    structures: dict[str, list[Any]] = {
        "source": [f"a.xyz:{i}" for i in range(n)],
        "config_type": [None] * n,
        "n_atoms": [2] * n,
        "reference_interaction_energy": [0.0] * n,
        "predicted_interaction_energy": energies,
    }
    for component in ("xx", "yy", "zz", "yz", "xz", "xy"):
        structures |= {
            f"{side}_stress_{component}": [1.0] * n for side in ("reference", "predicted")
        }
    pd.DataFrame(structures).to_parquet(directory / "structures.parquet")
    atoms: dict[str, list[float]] = {f"reference_f{axis}": [0.0] * 2 * n for axis in "xyz"}
    atoms |= {"predicted_fx": forces, "predicted_fy": [0.0] * 2 * n, "predicted_fz": [0.0] * 2 * n}
    pd.DataFrame(atoms).to_parquet(directory / "atoms.parquet")
    frames = "".join(f"2\nProperties=species:S:1:pos:R:3\nH 0 0 {i}\nH 0 1 0\n" for i in range(n))
    (directory / "predictions.extxyz").write_text(frames)
    return directory


def test_worst_structures_by_force(tmp_path: Path) -> None:
    nan = float("nan")
    found = read_predictions(_tables(tmp_path, [0.1, -0.3, nan, nan, 0.2, 0.9], [4.0, 2.0, nan]))
    assert found is not None
    assert [(w.source, w.force_error, w.atom) for w in found.worst] == [
        ("a.xyz:2", 0.9, 1),
        ("a.xyz:0", 0.3, 1),
    ]
    assert found.worst[0].atoms.positions[0, 2] == 2.0
    assert found.energies.tolist() == [[0.0, 2.0], [0.0, 1.0]]
    assert found.forces.shape == (16, 2)
    assert found.stress.tolist() == [[1.0, 1.0]] * 18


def test_worst_structures_by_energy_where_there_are_no_forces(tmp_path: Path) -> None:
    found = read_predictions(_tables(tmp_path, [float("nan")] * 4, [0.4, -0.8]))
    assert found is not None
    assert [(w.source, w.energy_error, w.atom) for w in found.worst] == [
        ("a.xyz:1", -0.4, None),
        ("a.xyz:0", 0.2, None),
    ]


def test_jobs_from_benchmarks(tmp_path: Path) -> None:
    path = tmp_path / "train" / "a" / "b.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\th:m:s\tmax_rss\tcpu_time\n7.5\t0:00:07\t-\t9.0\n")
    os.utime(path, (1000.0, 1000.0))
    (tmp_path / "report.tsv").write_text(path.read_text())
    (job,) = read_jobs(tmp_path)
    assert (job.rule, job.name, job.start, job.end) == ("train", "a/b", 992.5, 1000.0)
    assert np.isnan(job.memory_mb)


def test_jobs_at_once_lie_in_lanes_of_their_own() -> None:
    jobs = [
        Job("train", name, start, end, 1.0, 1.0)
        for name, start, end in (("a", 0.0, 4.0), ("b", 1.0, 2.0), ("c", 2.0, 3.0), ("d", 2.5, 5.0))
    ]
    assert _lanes(jobs) == [0, 1, 1, 2]
