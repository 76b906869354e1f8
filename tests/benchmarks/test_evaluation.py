"""The benchmark of evaluation: what it writes, and that both tasks do what they say."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.evaluation import measure as measuring
from mlip_core.data.frames import read_frames
from mlip_core.reference import write_extxyz
from tests.data.structures import ethanol


def test_molecules_come_again_until_there_are_enough(tmp_path: Path) -> None:
    (tmp_path / "acac").mkdir()
    for index, name in enumerate(measuring.MOLECULES):
        write_extxyz(tmp_path / "acac" / name, [ethanol(index)])
    measuring.write_molecules(tmp_path / "many.xyz", tmp_path, 7)
    digests = [frame.digest for frame in read_frames(tmp_path / "many.xyz", require=())]
    assert len(digests) == 7
    assert len(set(digests)) == 3
    assert digests[:3] == digests[3:6]


def test_both_tasks_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smallest = {"num_channels": 2, "l_max": 1, "correlation": 1, "num_layers": 1}
    monkeypatch.setattr(measuring, "NETWORK", smallest)
    monkeypatch.setattr(measuring, "CUTOFF", 2.0)
    measuring.write_mix(tmp_path / "mixed.xyz", 20)
    timing = measuring.measure(tmp_path / "mixed.xyz", tmp_path, rounds=1)
    assert timing.n_structures == 20
    assert timing.n_shapes == 1
    assert 0 <= timing.padding < 0.5
    assert timing.inference.median > 0
    assert timing.evaluation.median > timing.metrics.median > 0
    table = pd.read_parquet(tmp_path / "evaluation" / "atoms.parquet")
    assert len(table) == timing.n_atoms
