"""A training in a process of its own that can be killed: ``DIRECTORY EPOCHS [WHEN [SCENARIO]]``.

``WHEN`` is ``train:N`` or ``valid:N``, when the N-th batch of the training or validation set is
asked for in this process, or ``write:N``, as soon as the N-th checkpoint begins to be written: the
process then kills itself. With ``term-train:N`` and ``term-valid:N`` it asks itself to stop.
``SCENARIO`` is a key of ``SCENARIOS``.

It says ``training`` when the first steps are done. At the end it writes ``model.zip`` and prints
digests of all that must not depend on having been killed.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optax

from mlip_core.models.model_io import save_model_to_zip
from mlip_core.training.batches import BATCHES_AHEAD
from mlip_core.training.packing import digest, pack
from mlip_core.utils.stopping import EXIT_RESUME, StoppedError, stop_on_signals
from tests.training.tiny import make_dataset, make_loop

SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": lambda: {"accumulate": 2},
    "diverging": lambda: {
        "optimizer": optax.sgd(0.08, momentum=0.5),
        "loop_options": {"divergence": {"loss_ratio": 30.0}},
    },
    "adaptive": lambda: {
        "learning_rate": 0.1,
        "loop_options": {
            "swa_start_epoch": 3,
            "plateau": {"patience": 1, "factor": 0.5},
            "early_stopping": {"patience": 25},
        },
    },
}
SECONDS_PER_BATCH = 0.01
"""Leaves time for checkpoints in the middle of an epoch."""


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class DeadlyDataset:
    """A dataset that sends the process a signal when a certain batch is asked for.

    It says ``training`` once: when a batch is asked for that comes after a step.
    """

    def __init__(self, dataset: Any, countdown: int, number: signal.Signals) -> None:
        self.dataset, self.countdown, self.number = dataset, countdown, number
        self.until_said = BATCHES_AHEAD + 2

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Any]:
        for batch in self.dataset.epoch(number, start_batch):
            self.countdown -= 1
            self.until_said -= 1
            if self.until_said == 0:
                say("training")
            if self.countdown == 0:
                send(self.number)
            time.sleep(SECONDS_PER_BATCH)
            yield batch


def kill_while_writing(directory: Path, count: int) -> None:
    seen: set[str] = set()
    while len(seen) < count:
        seen |= {path.name for path in directory.glob("*/*tmp*")}
    send(signal.SIGKILL)


def main(directory: Path, num_epochs: int, when: str = "never:0", scenario: str = "plain") -> None:
    event, _, count = when.removeprefix("term-").partition(":")
    number = signal.SIGTERM if when.startswith("term-") else signal.SIGKILL
    if event == "write":
        arguments = (directory / "checkpoints", int(count))
        threading.Thread(target=kill_while_writing, args=arguments, daemon=True).start()
    train, valid = make_dataset(24, 2), make_dataset(5, 2, seed=1, shuffle=False)
    with stop_on_signals() as should_stop:
        loop = make_loop(
            directory,
            num_epochs,
            io_options={"checkpoint_interval_seconds": 0.01},
            train_dataset=DeadlyDataset(train, int(count) if event == "train" else 0, number),
            validation_dataset=DeadlyDataset(valid, int(count) if event == "valid" else 0, number),
            should_stop=should_stop,
            **SCENARIOS[scenario](),
        )
        start = {"epoch": loop._position.epoch, "step": loop._position.step}
        try:
            loop.run()
        except StoppedError as error:
            say(str(error))
            sys.exit(EXIT_RESUME)
    save_model_to_zip(directory / "model.zip", loop.best_model)
    results = {
        "state": digest(pack(loop.training_state)[0]),
        "best": digest(pack(loop.best_model.params)[0]),
        "best_epoch": loop.best_epoch,
        "best_loss": loop.best_loss,
        "rollbacks": loop._position.rollbacks,
        "epochs": loop._position.epoch,
    }
    say(json.dumps({"start": start, "results": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
