"""Two processes never train one run at once; a dead one stops nobody."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlip_core.study.lock import exclusive
from mlip_core.utils.errors import UserError
from mlip_core.utils.stopping import EXIT_RESUME

BEAT_SECONDS = 0.2
ON_ANOTHER_HOST = (
    "import errno, fcntl\n"
    "def flock(file, operation):\n"
    "    raise OSError(errno.ENOLCK, 'no locks available')\n"
    "fcntl.flock = flock\n"
)
"""Without locks of the kernel, two processes are to each other as if on two hosts."""

HOLDER = (
    "import sys, time\n"
    "from mlip_core.study.lock import exclusive\n"
    f"with exclusive(sys.argv[1], 'run', {BEAT_SECONDS}):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(float(sys.argv[2]))\n"
)


def start(path: Path, seconds: float = 60, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + HOLDER, str(path), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hold(path: Path, before: str = "") -> subprocess.Popen[str]:
    process = start(path, before=before)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_another_process_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    holder = hold(path)
    try:
        message = rf"^run is already being written by process {holder.pid} on \S+; wait"
        with pytest.raises(UserError, match=message), exclusive(path, "run"):
            pytest.fail("got a lock that another process holds")
    finally:
        end(holder)
    begin = time.monotonic()
    with exclusive(path, "run"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert time.monotonic() - begin < 5, "waited for a process that the kernel knows is dead"


def test_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", "run"):
            pass


def test_live_holder_on_another_host_is_recognised_by_its_beat(tmp_path: Path) -> None:
    holder = hold(tmp_path / "lock", ON_ANOTHER_HOST)
    try:
        other = start(tmp_path / "lock", 0, ON_ANOTHER_HOST)
        out, error = other.communicate(timeout=60)
        assert other.returncode == 1
        assert "held" not in out
        assert f"UserError: run is already being written by process {holder.pid}" in error
    finally:
        end(holder)


def test_dead_holder_on_another_host_is_succeeded_after_a_while(tmp_path: Path) -> None:
    end(hold(tmp_path / "lock", ON_ANOTHER_HOST))
    other = start(tmp_path / "lock", 0, ON_ANOTHER_HOST)
    out, error = other.communicate(timeout=60)
    assert (other.returncode, out) == (0, "held\n"), error
    assert "is dead; its lock is taken over" in error


def test_suspended_holder_that_was_succeeded_ends_when_it_wakes(tmp_path: Path) -> None:
    holder = hold(tmp_path / "lock", ON_ANOTHER_HOST)
    os.kill(holder.pid, signal.SIGSTOP)
    other = hold(tmp_path / "lock", ON_ANOTHER_HOST)
    try:
        os.kill(holder.pid, signal.SIGCONT)
        error = holder.communicate(timeout=30)[1]
        assert holder.returncode == EXIT_RESUME
        assert "another process has taken it over" in error
        assert other.poll() is None
    finally:
        end(other)


def test_restarted_slurm_job_does_not_wait_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lock"
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    end(hold(path))
    holder = json.loads(path.read_text()) | {"boot": "of another node"}
    path.write_text(json.dumps(holder))
    with exclusive(path, "run", BEAT_SECONDS):
        assert not caplog.records
    path.write_text(json.dumps(holder | {"slurm_job": "76"}))
    with exclusive(path, "run", BEAT_SECONDS):
        assert "is dead" in caplog.text


def test_holder_whose_file_is_away_for_a_beat_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    try:
        path.rename(tmp_path / "away")
        time.sleep(1.5 * BEAT_SECONDS)
        (tmp_path / "away").rename(path)
        before = json.loads(path.read_text())["beat"]
        time.sleep(4 * BEAT_SECONDS)
        assert holder.poll() is None
        assert json.loads(path.read_text())["beat"] > before
    finally:
        end(holder)


def test_holder_whose_file_is_gone_ends_with_a_message(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    path.unlink()
    error = holder.communicate(timeout=30)[1]
    assert holder.returncode == EXIT_RESUME
    assert error == f"error: run: {path}: cannot be written (No such file or directory)\n"


def test_work_that_is_done_is_not_lost_with_the_lock(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock", "run"):
        (tmp_path / "lock").unlink()
