"""Trainings on several devices and in several processes give the results of one."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlip_core.utils.stopping import EXIT_RESUME

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("n_devices", [2, 4])
def test_several_devices_give_the_results_of_one(n_devices: int) -> None:
    """Returning to the best epoch, early stopping and averages of weights included."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.several_devices", str(n_devices)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def start(directory: Path, count: int, num_epochs: int, seconds: float = 0.0) -> list[Any]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.training.one_of_processes"),
                *map(str, (rank, count, port, directory, num_epochs, seconds)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def finish(processes: list[Any], status: int = 0) -> list[dict[str, Any]]:
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, error) in zip(processes, outputs, strict=True):
        assert process.returncode == status, error
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    first, second = finish(start(tmp_path / "two", 2, 3))
    (one,) = finish(start(tmp_path / "one", 1, 3))
    assert first["results"] == second["results"]
    assert first["calls"] > 0
    assert second["calls"] == 0, "only the first process logs"
    # Of the 13 batches of an epoch; the last step has one, which is also the form of empty ones.
    assert first["made"] == second["made"] == 3 * 7, "each process makes its own batches only"
    for rows in zip(first["results"]["metrics"], one["results"]["metrics"], strict=True):
        assert rows[0].keys() == rows[1].keys()
        for name in rows[0]:
            np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=5e-5, err_msg=name)
    longer = finish(start(tmp_path / "two", 2, 5))
    whole = finish(start(tmp_path / "whole", 2, 5))
    assert longer[0]["results"].pop("start") == 3
    assert whole[0]["results"].pop("start") == 0
    assert longer[0]["results"] == whole[0]["results"]


@pytest.mark.slow
def test_two_processes_stop_after_the_same_step(tmp_path: Path) -> None:
    processes = start(tmp_path / "two", 2, 100, seconds=0.1)
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    while not list((tmp_path / "two").glob("checkpoints/resume/[0-9]*")):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.1)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    stopped = finish(processes, EXIT_RESUME)
    assert stopped[0] == stopped[1]
    assert list((tmp_path / "two" / "checkpoints" / "resume").iterdir())
