"""A training in a process of its own that can kill itself: ``DIRECTORY NUM_EPOCHS [WHEN]``.

``WHEN`` is ``train:N`` or ``valid:N``, when the N-th batch of the training or validation set is
asked for in this process, or ``write:N``, as soon as the N-th checkpoint begins to be written. At
the end it prints digests of all that must not depend on having been killed.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlip_core.training.packing import digest, pack
from tests.training.tiny import make_dataset, make_loop


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlyDataset:
    """A dataset that kills the process when a certain batch is asked for."""

    def __init__(self, dataset: Any, countdown: int) -> None:
        self.dataset, self.countdown = dataset, countdown

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Any]:
        for batch in self.dataset.epoch(number, start_batch):
            self.countdown -= 1
            if self.countdown == 0:
                kill()
            time.sleep(0.01)  # leaves time for checkpoints in the middle of an epoch
            yield batch


def kill_while_writing(directory: Path, count: int) -> None:
    seen: set[str] = set()
    while len(seen) < count:
        seen |= {path.name for path in directory.glob("*/*tmp*")}
    kill()


def main(directory: Path, num_epochs: int, when: str = "never:0") -> None:
    event, _, number = when.partition(":")
    if event == "write":
        arguments = (directory / "checkpoints", int(number))
        threading.Thread(target=kill_while_writing, args=arguments, daemon=True).start()
    loop = make_loop(
        directory,
        num_epochs,
        accumulate=2,
        io_options={"checkpoint_interval_seconds": 0.01},
        train_dataset=DeadlyDataset(make_dataset(24, 2), int(number) if event == "train" else 0),
        validation_dataset=DeadlyDataset(
            make_dataset(5, 2, seed=1, shuffle=False), int(number) if event == "valid" else 0
        ),
    )
    start = {"epoch": loop._position.epoch, "step": loop._position.step}
    loop.run()
    results = {
        "state": digest(pack(loop.training_state)[0]),
        "best": digest(pack(loop.best_model.params)[0]),
        "best_epoch": loop.best_epoch,
        "best_loss": loop.best_loss,
    }
    sys.stdout.write(json.dumps({"start": start, "results": results}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
