"""The way that a training goes, which tells whether it can go on from a checkpoint."""

import os
from dataclasses import dataclass
from typing import Any

from mlip_core.training.decisions import epochs_before_cooldown, stopping_epoch
from mlip_core.training.training_loop_config import TrainingLoopConfig
from mlip_core.utils.errors import UserError

NOT_OF_THE_COURSE = {"num_epochs", "early_stopping"}
"""Settings that only say where a training ends, not how it gets there."""


class OtherCourseError(UserError):
    """The checkpoints are of a training that one with another end does not go on from."""


@dataclass(frozen=True)
class Course:
    """What decides how a training goes, apart from data and model.

    Attributes:
        config: the settings.
        steps_per_epoch: ``None`` if the dataset does not tell.
        devices_per_step: how many devices share a step.
        directory: where the checkpoints are, for messages.
    """

    config: TrainingLoopConfig
    steps_per_epoch: int | None
    devices_per_step: int
    directory: str | os.PathLike[str] | None

    @property
    def branch_epoch(self) -> int:
        """The last epoch that does not depend on when the training ends: longer ones share it."""
        return epochs_before_cooldown(self.config.num_epochs, self.config.cooldown)

    def to_json(self) -> dict[str, Any]:
        """What checkpoints tell of it, for ``includes`` and ``check_settings``."""
        return {"identity": self._identity(), "num_epochs": self.config.num_epochs}

    def includes(self, record: dict[str, Any]) -> bool:
        """Whether a checkpoint, perhaps of another ``num_epochs``, is one of this training too.

        Raises:
            OtherCourseError: if it is of a longer training, and beyond what both share.
        """
        self._check_patience(record)
        theirs = record["num_epochs"]
        if theirs == self.config.num_epochs:
            return True
        last_shared = min(self.branch_epoch, epochs_before_cooldown(theirs, self.config.cooldown))
        is_shared = bool(record["position"]["epoch"] <= last_shared)
        if theirs > self.config.num_epochs and not is_shared:
            raise OtherCourseError(
                f"{self.directory}: is trained for {theirs} epochs, beyond "
                f"num_epochs = {self.config.num_epochs}; train into another directory, or set "
                f"clear_previous_checkpoints"
            )
        return is_shared

    def _check_patience(self, record: dict[str, Any]) -> None:
        end = stopping_epoch(record["metrics"], self.config.early_stopping)
        if end is not None and record["position"]["epoch"] > end:
            raise OtherCourseError(
                f"{self.directory}: is trained beyond epoch {end}, where early_stopping ends this "
                f"training; train into another directory, or set clear_previous_checkpoints"
            )

    def check_settings(self, record: dict[str, Any]) -> None:
        """Raise a ``UserError`` if the training of a checkpoint differs in a setting."""
        stored = record["identity"]
        for name, value in self._identity().items():
            if stored.get(name) != value:
                raise UserError(
                    f"{self.directory}: its training has {name} = {stored.get(name)}, this one "
                    f"{value}; train into another directory, or set clear_previous_checkpoints"
                )

    def _identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude=NOT_OF_THE_COURSE) | {
            "steps_per_epoch": self.steps_per_epoch,
            "devices_per_step": self.devices_per_step,
        }
