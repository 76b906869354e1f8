"""Two processes never train one run at once; a dead one stops nobody."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlip_core.study.lock import exclusive
from mlip_core.utils.errors import UserError

HOLDER = (
    "import sys, time\n"
    "from mlip_core.study.lock import exclusive\n"
    "with exclusive(sys.argv[1], 'run'):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


def hold(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    holder = hold(path)
    try:
        message = rf"^run is already being written by process {holder.pid} on \S+; wait"
        with pytest.raises(UserError, match=message), exclusive(path, "run"):
            pytest.fail("got a lock that another process holds")
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with exclusive(path, "run"):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", "run"):
            pass
