"""The sizes, the exponents and the plot of the scaling benchmark."""

import json
from pathlib import Path

import numpy as np
from ase.io import read

from benchmarks.scaling.__main__ import TASKS, exponent_of
from benchmarks.scaling.axes import BATCHES, axes
from benchmarks.scaling.plot import plot


def test_exponent_is_that_of_the_largest_sizes() -> None:
    sizes = [1.0, 2.0, 4.0, 8.0, 16.0]
    seconds = [100.0, 100.0, *(3 * size**1.5 for size in sizes[2:])]
    np.testing.assert_allclose(exponent_of(sizes, seconds), 1.5)


def test_each_point_has_structures_for_its_batches(tmp_path: Path) -> None:
    for axis in axes():
        sizes = [point.size for point in axis.points]
        assert sizes == sorted(set(sizes))
        smallest = axis.points[0]
        case = smallest.to_case(tmp_path, threads=1)
        frames = read(case["file"], ":")
        assert len(frames) == BATCHES * smallest.batch_size * smallest.devices
        assert len({frame.positions.tobytes() for frame in frames}) == len(frames)
        json.dumps(case)


def test_a_plot_depends_on_the_figures_alone(tmp_path: Path) -> None:
    rows = [{"size": size, "edges": size, "train": 0.1 * size} for size in (1.0, 2.0, 4.0)]
    found = {"atoms": {"label": "atoms", "rows": rows, "exponents": {"train": 1.0}}}
    paths = [tmp_path / "first.svg", tmp_path / "second.svg"]
    for path in paths:
        plot(found, TASKS, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert "training step, exponent 1.00" in paths[0].read_text()
