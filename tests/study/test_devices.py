"""GPUs are shared out between processes, and free again when one dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlip_core.study.devices import claim_gpus, visible_gpus
from mlip_core.utils.errors import UserError

HOLDER = """
import os, sys, time
from mlip_core.study.devices import claim_gpus
with claim_gpus(int(sys.argv[1])):
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs and nobody else on it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def start(count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(count)], stdout=subprocess.PIPE, text=True
    )


def seen_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_each_process_sees_a_gpu_of_its_own_and_the_next_one_waits() -> None:
    first, second = start(1), start(1)
    try:
        assert {seen_by(first), seen_by(second)} == {"0", "1"}
        third = start(1)
        time.sleep(1)
        assert third.poll() is None
        first.send_signal(signal.SIGKILL)
        assert seen_by(third) in {"0", "1"}
    finally:
        for process in (first, second, third):
            process.kill()
            process.wait()


def test_a_claim_ends_with_its_block() -> None:
    with claim_gpus(2) as both:
        assert both == ["0", "1"]
    with claim_gpus(1) as one:
        assert one == ["0"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_job_without_gpus_sees_none() -> None:
    with claim_gpus(0) as none:
        assert none == []
        assert visible_gpus() == []


def test_jobs_of_a_cluster_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = start(2)
    try:
        assert seen_by(holder) == "0,1"
        monkeypatch.setenv("SLURM_JOB_ID", "17")  # devices of another node, or numbered anew
        with claim_gpus(1) as mine:
            assert mine == ["0"]
    finally:
        holder.kill()
        holder.wait()


def test_more_than_there_are_is_a_mistake() -> None:
    with (
        pytest.raises(UserError, match=r"execution.gpus_per_training: 3 asked for, but this machi"),
        claim_gpus(3),
    ):
        pass


def test_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    with claim_gpus(0) as none:
        assert none == []
