"""The sizes and the exponents of the scaling benchmark, and what it times."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from benchmarks.models.worker import running
from benchmarks.scaling.axes import BATCHES, axes
from benchmarks.scaling.fit import exponent_of, fitted


def test_exponent_is_that_of_the_largest_sizes() -> None:
    sizes = [1.0, 2.0, 4.0, 8.0, 16.0]
    seconds = [100.0, 100.0, *(3 * size**1.5 for size in sizes[2:])]
    np.testing.assert_allclose(exponent_of(sizes, seconds), 1.5)
    np.testing.assert_allclose(fitted(sizes, seconds), list(zip(sizes, seconds, strict=True))[2:])
    with pytest.raises(ValueError, match="two sizes"):
        exponent_of(sizes[:1], seconds[:1])


def test_each_point_has_structures_for_its_batches(tmp_path: Path) -> None:
    for axis in axes():
        sizes = [point.size for point in axis.points]
        assert sizes == sorted(set(sizes))
        smallest = replace(axis.points[0], count=None)
        case = smallest.to_case(tmp_path, threads=1)
        frames = read(case["file"], ":")
        assert len(frames) == BATCHES * smallest.batch_size * smallest.devices
        assert len({frame.positions.tobytes() for frame in frames}) == len(frames)
        json.dumps(case)


def test_a_dataset_is_timed_as_a_whole(tmp_path: Path) -> None:
    axis = next(axis for axis in axes() if axis.name == "dataset")
    point = replace(axis.points[0], count=30)
    case = point.to_case(tmp_path, threads=1)
    with running(Path(sys.executable), axis.runner, case, {}) as worker:
        for task in axis.tasks:
            assert worker.run(task, 1)[1] == [point.structures_of(task)] == [30]
