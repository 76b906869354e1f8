"""The workflow on a real Slurm: jobs die in every way, and the models are those of a local run."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.workflow.slurm_cluster import slurm_cluster, why_not
from tests.workflow.tiny_study import ROOT, StudyDirectory

RUNS = [f"run{number}" for number in range(6)]
# This cluster keeps no accounts, has a local file system, few cores and little memory. A training
# gets one minute, which one of them will not keep to, and time enough when it is tried again.
ON_SLURM = f"""
    --profile {ROOT}/profiles/slurm --workflow-profile {ROOT}/profiles/default
    --slurm-status-command squeue --slurm-init-seconds-before-status-checks 1
    --latency-wait 5 --seconds-between-status-checks 5
    --set-threads train_run=1
    --set-resources train_run:gpu=1 train_run:runtime=60**(attempt-1) train_run:mem_mb=2000
        evaluate_entry:mem_mb=1000 physics:mem_mb=1000
""".split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=f"no Slurm can be started here: {why_not()}"),
]


@pytest.fixture
def _cluster() -> Iterator[None]:
    # Not below pytest's directory, which is closed to others: munge wants its socket reachable.
    with TemporaryDirectory() as home, slurm_cluster(Path(home)):
        yield


def six_runs(study: dict[str, Any]) -> None:
    small = study["runs"].pop("small")
    small["training"]["num_epochs"] = 300
    study["runs"] = {name: {**small, "seed": seed} for seed, name in enumerate(RUNS)}


@pytest.mark.usefixtures("_cluster")
def test_study_on_slurm_survives_and_equals_the_local_one(tmp_path: Path) -> None:
    there, here = (StudyDirectory(tmp_path / name) for name in ("there", "here"))
    for study in (there, here):
        study.configure(six_runs)

    snakemake = there.start(*ON_SLURM)
    pids = _wait_for(lambda: _two_trainings(there))
    devices = [_environment(pid)["CUDA_VISIBLE_DEVICES"] for pid in pids.values()]
    assert sorted(devices) == ["0", "1"]
    cancelled, killed = pids.values()
    subprocess.run(
        ["scancel", "--signal=KILL", _environment(cancelled)["SLURM_JOB_ID"]], check=True
    )
    os.kill(killed, signal.SIGKILL)
    _wait_for(lambda: set(_two_trainings(there).values()).isdisjoint(pids.values()))
    snakemake.kill()
    snakemake.wait()
    subprocess.run(["scancel", "--me"], check=True)
    _wait_for(lambda: not _jobs())

    assert there.snakemake("--unlock").status == 0
    snakemake = there.start(*ON_SLURM)
    late = next(iter(_wait_for(lambda: _two_trainings(there)).values()))
    job = _environment(late)["SLURM_JOB_ID"]
    os.kill(late, signal.SIGSTOP)
    _wait_for(lambda: _state_of(job) == "TIMEOUT")
    assert snakemake.wait() == 0, (there.path / "snakemake.out").read_text()
    assert here.snakemake("train").status == 0
    for name in RUNS:
        zips = [study.path / f"results/models/{name}.zip" for study in (there, here)]
        assert zips[0].read_bytes() == zips[1].read_bytes(), name


def _two_trainings(study: StudyDirectory) -> dict[str, int]:
    """Process of each run that is training, at the moment when there are two; else nothing.

    More than two at a time must never be: the cluster has two GPUs.
    """
    pids = {}
    for name in RUNS:
        directory = study.path / "results/runs" / name / "checkpoints"
        if (directory / "lock").exists() and any(directory.glob("*/resume/*")):
            holder = json.loads((directory / "lock").read_bytes().rstrip(b"\0 \n"))
            if Path(f"/proc/{holder['pid']}").exists() and not holder.get("released"):
                pids[name] = holder["pid"]
    assert len(pids) <= 2
    return pids if len(pids) == 2 else {}


def _state_of(job: str) -> str:
    """What has become of a job, in Slurm's word for it."""
    output = subprocess.run(
        ["scontrol", "show", "job", job], capture_output=True, text=True, check=True
    ).stdout
    return output.partition("JobState=")[2].split()[0]


def _jobs() -> str:
    return subprocess.run(
        ["squeue", "--me", "--noheader"], capture_output=True, text=True, check=True
    ).stdout


def _environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _wait_for(condition: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return result
