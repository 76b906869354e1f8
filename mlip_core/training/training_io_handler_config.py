"""Settings of what a training writes."""

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

StrPath = str | os.PathLike[str]


class TrainingIOHandlerConfig(BaseModel):
    """Settings of ``TrainingIOHandler``.

    There are two kinds of checkpoints. Those in ``model/`` hold the best model of an epoch, to be
    loaded by its number. Those in ``resume/`` hold all that decides the rest of a training, whether
    or not the model has improved: with ``resume``, a training that was killed goes on exactly as if
    it had not been. One of them, the last before the learning rate falls, is kept in
    ``before_cooldown/``: a longer training goes on from it.

    Attributes:
        local_model_output_dir: where to write checkpoints and ``dataset_info.json``; nowhere if
            ``None``.
        max_checkpoints_to_keep: how many of the latest best models to keep.
        save_debiased_ema: whether to save the debiased moving average of the parameters too.
        ema_decay: decay of that average, where no training loop says it.
        restore_checkpoint_if_exists: whether to start from a checkpoint in ``model/``, if there is
            one.
        epoch_to_restore: which one; the latest if ``None``.
        restore_optimizer_state: whether to restore the state of the optimizer with it.
        clear_previous_checkpoints: whether to remove all checkpoints at the start.
        resume: whether to go on from the newest whole checkpoint in ``resume/``, if there is one.
        checkpoint_interval_epochs: save one for resuming at the end of every so many epochs; none
            at ends of epochs if ``None``. One that comes due while another is written is left out.
            The end of the training is always saved.
        checkpoint_interval_seconds: save one for resuming after this many seconds, also in the
            middle of an epoch; ``None`` for never.
        metrics_csv: table of metrics, one row for each epoch; the same bytes for the same training.
        timing_csv: table of times and throughput, one row for each epoch.
    """

    model_config = ConfigDict(extra="forbid")

    local_model_output_dir: StrPath | None = None
    max_checkpoints_to_keep: PositiveInt = 5
    save_debiased_ema: bool = True
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    restore_checkpoint_if_exists: bool = False
    epoch_to_restore: PositiveInt | None = None
    restore_optimizer_state: bool = False
    clear_previous_checkpoints: bool = False
    resume: bool = False
    checkpoint_interval_epochs: PositiveInt | None = 1
    checkpoint_interval_seconds: PositiveFloat | None = 300.0
    metrics_csv: StrPath | None = None
    timing_csv: StrPath | None = None

    @model_validator(mode="after")
    def validate_options(self) -> Self:
        """Raise ``ValueError`` if checkpoints are to be used and removed, or used from nowhere."""
        is_used = self.resume or self.restore_checkpoint_if_exists
        if is_used and self.clear_previous_checkpoints:
            raise ValueError(
                "clear_previous_checkpoints excludes resume and restore_checkpoint_if_exists"
            )
        if is_used and self.local_model_output_dir is None:
            raise ValueError("restoring a checkpoint needs local_model_output_dir")
        return self
