"""A killed training, continued, ends with the same bytes as one that was never killed."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from mlip_core.training.course import OtherCourseError
from mlip_core.training.packing import digest, pack
from mlip_core.utils.errors import UserError
from mlip_core.utils.stopping import EXIT_RESUME
from tests.training.tiny import make_dataset, make_force_field, make_loop

ROOT = Path(__file__).parents[2]
NUM_EPOCHS = 5


def run_training(
    directory: Path, when: str = "never:0", scenario: str = "plain", num_epochs: int = NUM_EPOCHS
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.training.killed_training", str(directory)]
    return subprocess.run(
        [*command, str(num_epochs), when, scenario],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def report(process: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def assert_same_files(one: Path, other: Path) -> None:
    for name in ("metrics.csv", "model.zip"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert not list(other.rglob("*tmp*")), "half-written checkpoints are left"


def test_killed_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = report(run_training(tmp_path / "whole"))
    killed = tmp_path / "killed"
    for when in ("train:22", "write:2", "valid:4"):
        assert run_training(killed, when).returncode == -signal.SIGKILL
    continued = report(run_training(killed))
    assert continued["start"]["epoch"] > 0, "no checkpoint was used"
    assert continued["results"] == whole["results"]
    assert_same_files(tmp_path / "whole", killed)


def test_stopped_training_loses_no_step_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """SIGTERM in the middle of an epoch, then during an evaluation."""
    whole = report(run_training(tmp_path / "whole"))
    stopped = tmp_path / "stopped"
    process = run_training(stopped, "term-train:20")
    assert process.returncode == EXIT_RESUME, process.stderr
    assert process.stdout.splitlines()[-1] == "stopped in epoch 2; start again to resume"
    assert newest_position(stopped) > 12 + 1
    assert run_training(stopped, "term-valid:2").returncode == EXIT_RESUME
    assert newest_position(stopped) == 2 * 12 + 1, "all steps of the second epoch, not its end"
    continued = report(run_training(stopped))
    assert continued["start"] == {"epoch": 2, "step": 12}
    assert continued["results"] == whole["results"]
    assert_same_files(tmp_path / "whole", stopped)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["diverging", "adaptive"])
def test_kills_around_decisions_change_nothing(tmp_path: Path, scenario: str) -> None:
    """Before, during and after a return to the best epoch, or a lower learning rate."""
    arguments = (scenario, 12)
    whole = report(run_training(tmp_path / "whole", "never:0", *arguments))
    assert (whole["results"]["rollbacks"] > 0) == (scenario == "diverging")
    killed = tmp_path / "killed"
    for when in ("train:20", "write:2", "train:30", "write:3", "valid:7", "train:15"):
        status = run_training(killed, when, *arguments).returncode
        assert status in (-signal.SIGKILL, 0)
    continued = report(run_training(killed, "never:0", *arguments))
    assert continued["results"] == whole["results"]
    assert_same_files(tmp_path / "whole", killed)


def newest_position(directory: Path) -> int:
    """Steps and ends of epochs that the newest checkpoint has."""
    return max(int(path.name) for path in (directory / "checkpoints" / "resume").iterdir())


class InterruptedDataset:
    """A dataset whose N-th batch cannot be read, as if the process ended there."""

    class InterruptionError(Exception):
        pass

    seconds_per_batch = 0.1
    """A checkpoint is left out while the one before is still being written."""

    def __init__(self, dataset: Any, countdown: int) -> None:
        self.dataset, self.countdown = dataset, countdown

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Any:
        for batch in self.dataset.epoch(number, start_batch):
            self.countdown -= 1
            if self.countdown == 0:
                raise self.InterruptionError
            time.sleep(self.seconds_per_batch)
            yield batch


def test_training_goes_on_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    whole = make_loop(tmp_path / "whole", train_dataset=make_dataset(24, 2))
    whole.run()
    interrupted = make_loop(
        tmp_path / "half",
        io_options={"checkpoint_interval_seconds": 1e-6},
        train_dataset=InterruptedDataset(make_dataset(24, 2), 20),
    )
    with pytest.raises(InterruptedDataset.InterruptionError):
        interrupted.run()
    continued = make_loop(tmp_path / "half", train_dataset=make_dataset(24, 2))
    steps = int(continued.training_state.num_steps)
    assert steps % 12 != 0, "not in the middle of an epoch"
    continued.run()
    assert digest(pack(continued.training_state)[0]) == digest(pack(whole.training_state)[0])
    assert continued.history.metrics == whole.history.metrics


def test_larger_num_epochs_continues_and_a_complete_training_returns_at_once(
    tmp_path: Path,
) -> None:
    whole = make_loop(tmp_path / "whole", num_epochs=4)
    whole.run()
    make_loop(tmp_path / "parts", num_epochs=2).run()
    make_loop(tmp_path / "parts", num_epochs=4).run()
    csv = (tmp_path / "whole" / "metrics.csv").read_bytes()
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == csv

    (tmp_path / "parts" / "metrics.csv").unlink()  # as a workflow does with declared outputs
    complete = make_loop(
        tmp_path / "parts", num_epochs=4, train_dataset=InterruptedDataset(make_dataset(), 1)
    )
    complete.run()
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == csv
    assert complete.best_epoch == whole.best_epoch
    assert complete.best_loss == whole.best_loss
    jax.tree.map(np.testing.assert_array_equal, complete.best_model.params, whole.best_model.params)
    assert digest(pack(complete.training_state)[0]) == digest(pack(whole.training_state)[0])


COOLDOWN = {"cooldown": {"share": 0.5}}


def test_longer_training_goes_on_from_before_the_cooldown(tmp_path: Path) -> None:
    make_loop(tmp_path / "whole", num_epochs=8, loop_options=COOLDOWN).run()
    make_loop(tmp_path / "parts", num_epochs=4, loop_options=COOLDOWN).run()
    longer = make_loop(tmp_path / "parts", num_epochs=8, loop_options=COOLDOWN)
    assert longer.history.metrics[-1]["epoch"] == 2
    longer.run()
    csv = (tmp_path / "whole" / "metrics.csv").read_bytes()
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == csv
    epochs = [
        sorted(path.name for path in (tmp_path / name / "checkpoints" / "model").iterdir())
        for name in ("whole", "parts")
    ]
    assert epochs[0] == epochs[1]


def test_cooldown_that_is_interrupted_is_finished(tmp_path: Path) -> None:
    make_loop(tmp_path / "whole", num_epochs=4, loop_options=COOLDOWN).run()
    data = InterruptedDataset(make_dataset(), 18)
    with pytest.raises(InterruptedDataset.InterruptionError):
        make_loop(tmp_path / "cut", 4, loop_options=COOLDOWN, train_dataset=data).run()
    cut = make_loop(tmp_path / "cut", num_epochs=4, loop_options=COOLDOWN)
    assert cut.history.metrics[-1]["epoch"] >= 2
    cut.run()
    csv = (tmp_path / "whole" / "metrics.csv").read_bytes()
    assert (tmp_path / "cut" / "metrics.csv").read_bytes() == csv


def test_shorter_training_does_not_take_a_longer_one_for_its_own(tmp_path: Path) -> None:
    make_loop(tmp_path, num_epochs=4).run()
    with pytest.raises(OtherCourseError, match="is trained for 4 epochs, beyond num_epochs = 2"):
        make_loop(tmp_path, num_epochs=2)
    make_loop(tmp_path, num_epochs=4).run()


def test_less_patient_training_does_not_take_a_longer_one_for_its_own(tmp_path: Path) -> None:
    def options(patience: int) -> dict[str, Any]:
        # Nothing is an improvement of so much: the training ends after so many epochs.
        return {"early_stopping": {"patience": patience, "min_improvement": 0.999}}

    make_loop(tmp_path, num_epochs=9, loop_options=options(4)).run()
    with pytest.raises(OtherCourseError, match="is trained beyond epoch 2, where early_stopping"):
        make_loop(tmp_path, num_epochs=9, loop_options=options(2))
    for patience in (4, 6):
        loop = make_loop(tmp_path, num_epochs=9, loop_options=options(patience))
        assert loop.history.metrics[-1]["epoch"] == 4
        loop.run()
        assert loop.history.metrics[-1]["epoch"] == patience


def damage_everything(checkpoint: Path) -> None:
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(checkpoint: Path) -> None:
    largest = max((p for p in checkpoint.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_everything, flip_a_bit])
def test_damaged_checkpoint_is_skipped_for_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    make_loop(tmp_path, num_epochs=3).run()
    older, newest = sorted(
        (tmp_path / "checkpoints" / "resume").iterdir(), key=lambda p: int(p.name)
    )
    damage(newest)
    loop = make_loop(tmp_path, num_epochs=3)
    assert f"{newest}: damaged" in caplog.text
    assert str(older) not in caplog.text
    csv = (tmp_path / "metrics.csv").read_bytes()
    loop.run()
    assert (tmp_path / "metrics.csv").read_bytes() == csv


def test_damaged_checkpoints_do_not_displace_those_of_the_training_anew(tmp_path: Path) -> None:
    make_loop(tmp_path, num_epochs=4).run()
    points = tmp_path / "checkpoints" / "resume"
    for position in ("98", "99"):  # surely later than what comes
        shutil.copytree(next(points.iterdir()), points / position)
    for checkpoint in points.iterdir():
        flip_a_bit(checkpoint)
    with pytest.raises(InterruptedDataset.InterruptionError):
        make_loop(tmp_path, 4, train_dataset=InterruptedDataset(make_dataset(), 12)).run()
    assert make_loop(tmp_path, num_epochs=4).history.metrics[-1]["epoch"] > 0


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    make_loop(tmp_path, num_epochs=1).run()
    with pytest.raises(UserError, match=r"ema_decay = 0\.99, this one 0\.9;"):
        make_loop(tmp_path, loop_options={"ema_decay": 0.9})
    with pytest.raises(UserError, match="another model or optimizer"):
        make_loop(tmp_path, accumulate=2)
    with pytest.raises(UserError, match="steps_per_epoch = 5, this one 12;"):
        make_loop(tmp_path, train_dataset=make_dataset(24, 2))
    with pytest.raises(UserError, match="checkpoints of an earlier training"):
        make_loop(tmp_path, io_options={"resume": False})
    fresh = make_loop(tmp_path, io_options={"resume": False, "clear_previous_checkpoints": True})
    assert int(fresh.training_state.num_steps) == 0
    assert not list((tmp_path / "checkpoints").glob("*/*"))


def test_caller_keeps_its_parameters(tmp_path: Path) -> None:
    force_field = make_force_field()
    before = digest(pack(force_field.params)[0])
    make_loop(tmp_path, num_epochs=1, force_field=force_field).run()
    assert digest(pack(force_field.params)[0]) == before
