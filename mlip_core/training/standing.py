"""Where a training stands."""

import dataclasses
from typing import Any

from mlip_core.training.training_state import TrainingState


@dataclasses.dataclass
class Best:
    """The best epoch so far.

    Attributes:
        state: the training state at its end; what a training that diverges goes back to.
        params: the parameters that were evaluated: an average, or those of the state.
        loss: their validation loss.
        epoch: its number; 0 is before training.
    """

    state: TrainingState
    params: Any
    loss: float
    epoch: int


@dataclasses.dataclass
class Position:
    """The place in the course of a training.

    Attributes:
        epoch: number of the epoch under way or, between epochs, of the last one; the first is 1.
        step: steps done in the epoch; ``None`` between epochs.
        order: grows with each step, each end of an epoch and each return to an earlier one; names
            checkpoints.
        rollbacks: how often the training has diverged and gone back to its best epoch.
        seconds: time spent in the epoch before this process.
        seconds_waiting: part of it in which the loop waited for data.
    """

    epoch: int = 0
    step: int | None = None
    order: int = 0
    rollbacks: int = 0
    seconds: float = 0.0
    seconds_waiting: float = 0.0

    def begin_epoch(self) -> None:
        """Be before the first step of the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0
        self.seconds = self.seconds_waiting = 0.0

    def advance(self) -> None:
        """Be one step further."""
        self.step = (self.step or 0) + 1
        self.order += 1

    def end_epoch(self) -> None:
        """Be between this epoch and the next."""
        self.step = None
        self.order += 1

    def go_back(self, epoch: int) -> None:
        """Be after an earlier epoch."""
        self.epoch = epoch
        self.rollbacks += 1
        self.end_epoch()

    @property
    def finished_epochs(self) -> int:
        """How many epochs are done."""
        return self.epoch - (self.step is not None)
