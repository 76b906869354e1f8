"""A training that is killed goes on where it was; an orphan keeps its restart from writing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow.tiny_study import ROOT, StudyDirectory

EPOCHS = 40


@pytest.mark.slow
def test_killed_study_ends_with_the_same_model(tmp_path: Path) -> None:
    studies = [StudyDirectory(tmp_path / name) for name in ("killed", "whole")]
    for study in studies:
        study.configure(lambda s: s["runs"]["small"]["training"].update(num_epochs=EPOCHS))
    killed, whole = studies
    _run_until_killed(killed)

    result = killed.snakemake("results/models/small.zip")
    assert result.status == 1
    assert result.errors
    assert all("is already being written by process" in line for line in result.errors)
    _kill_training(killed)

    result = killed.snakemake("results/models/small.zip")
    assert result.status == 0, result.output
    assert "epoch 1/" not in killed.read("logs/train/small.log")
    assert whole.snakemake("results/models/small.zip").status == 0
    for name in ("models/small.zip", "runs/small/metrics.csv"):
        contents = [(study.path / "results" / name).read_bytes() for study in studies]
        assert contents[0] == contents[1], name


def _run_until_killed(study: StudyDirectory) -> None:
    """Kill Snakemake, not the training, after the first checkpoint."""
    snakemake = subprocess.Popen(
        [
            *(sys.executable, "-m", "snakemake", "results/models/small.zip"),
            *("--snakefile", str(ROOT / "Snakefile"), "--cores", "2"),
        ],
        cwd=study.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not _has_checkpoint(study):
        assert time.monotonic() < deadline
        assert snakemake.poll() is None
        time.sleep(0.05)
    os.kill(snakemake.pid, signal.SIGKILL)
    snakemake.wait()
    os.kill(_training_process(study), signal.SIGSTOP)
    assert study.snakemake("--unlock").status == 0


def _has_checkpoint(study: StudyDirectory) -> bool:
    """Whether one is complete: one that is being written has a longer name."""
    paths = study.path.glob("results/runs/small/checkpoints/*/resume/*")
    return any(path.name.isdigit() for path in paths)


def _kill_training(study: StudyDirectory) -> None:
    os.kill(_training_process(study), signal.SIGKILL)
    assert study.snakemake("--unlock").status == 0


def _training_process(study: StudyDirectory) -> int:
    holder = json.loads((study.path / "results/runs/small/checkpoints/lock").read_text())
    pid: int = holder["pid"]
    return pid
