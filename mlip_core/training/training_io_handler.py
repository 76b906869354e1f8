"""What a training writes: checkpoints, dataset info, tables of metrics, and calls of loggers."""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from mlip_core.data.dataset_info import DatasetInfo, write_dataset_info
from mlip_core.training.background_writer import BackgroundWriter
from mlip_core.training.ema import get_debiased_params
from mlip_core.training.history import History, write_table
from mlip_core.training.log_category import LogCategory
from mlip_core.training.model_checkpoints import (
    CheckpointRestorationError,
    ModelCheckpoints,
    RestoredModel,
)
from mlip_core.training.parallel import local
from mlip_core.training.resume_checkpoints import ResumeCheckpoints, ResumePoint
from mlip_core.training.training_state import TrainingState
from mlip_core.utils.errors import UserError

__all__ = [
    "CheckpointRestorationError",
    "LogCategory",
    "TrainingIOHandler",
    "TrainingIOHandlerConfig",
]

DATASET_INFO_FILE = "dataset_info.json"
MODEL_DIR = "model"
RESUME_DIR = "resume"
BRANCH_DIR = "before_cooldown"

StrPath = str | os.PathLike[str]
Logger = Callable[[LogCategory, dict[str, Any], int], None]
UploadFunction = Callable[[StrPath], Future[Any] | None]


class OtherCourseError(UserError):
    """The checkpoints are of a training that another number of epochs does not go on from."""


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


class TrainingIOHandler:
    """Writes what a training leaves behind, without making it wait.

    Without ``local_model_output_dir`` it only calls loggers and writes tables. Of several processes
    only the first writes and logs; all of them read checkpoints, from a directory that they share.
    """

    Config = TrainingIOHandlerConfig

    def __init__(
        self,
        config: TrainingIOHandlerConfig | None = None,
        data_upload_fun: UploadFunction | None = None,
    ) -> None:
        """Look at the output directory.

        Args:
            config: the settings; the defaults if ``None``.
            data_upload_fun: called with the output directory whenever something new is there, in a
                thread of its own; may return a future, which is waited for at the end.

        Raises:
            UserError: if there are checkpoints and the config does not say what to do with them.
        """
        self.config = config or TrainingIOHandlerConfig()
        self._upload_fun = data_upload_fun
        self._uploads: list[Future[Any]] = []
        self._loggers: list[Logger] = []
        self._writer = BackgroundWriter()
        self._last_save = time.monotonic()
        self._last_resume_write = _done()
        self._last_history_write = _done()
        self._is_writer = jax.process_index() == 0
        self._models: ModelCheckpoints | None = None
        self._resume_points: ResumeCheckpoints | None = None
        self._branch_points: ResumeCheckpoints | None = None
        if self.config.local_model_output_dir is not None:
            self._open(Path(self.config.local_model_output_dir).resolve())

    def attach_logger(self, logger: Logger) -> None:
        """Add a function of a category, what to log, and the number of the epoch."""
        self._loggers.append(logger)

    def log(self, category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        """Call all loggers."""
        for logger in self._loggers if self._is_writer else ():
            logger(category, to_log, epoch_number)

    def save_dataset_info(self, dataset_info: DatasetInfo) -> None:
        """Write ``dataset_info.json``."""
        if self._models is not None and self._is_writer:
            path = self._models.directory.parent / DATASET_INFO_FILE
            self._submit(lambda: write_dataset_info(path, dataset_info))

    def save_checkpoint(
        self,
        training_state: TrainingState,
        epoch_number: int,
        *,
        averaged_params: Any | None = None,
        best_loss: float | None = None,
    ) -> None:
        """Write the best model so far, ``model/<epoch_number>``, in the background.

        Args:
            training_state: is copied on the device first, so that a step may take over its memory.
            epoch_number: the name of the checkpoint.
            averaged_params: the average of the parameters on which the model was judged; if
                ``None``, the moving average of the state, debiased by the decay of the config.
            best_loss: validation loss of the model; restored with it.
        """
        if (models := self._models) is None or not self._is_writer:
            return
        state, ema = snapshot(local((training_state, averaged_params)))
        if not self.config.save_debiased_ema:
            ema = None
        elif ema is None:
            ema = _debias(state.ema_state, self.config.ema_decay)
        self._submit(lambda: models.save(epoch_number, state, ema, best_loss))

    def restore_training_state(self, training_state: TrainingState) -> TrainingState:
        """The state of a model checkpoint, as the config says; the given one if there is none.

        Args:
            training_state: template of names, shapes and types.

        Raises:
            CheckpointRestorationError: if ``epoch_to_restore`` is not there or of another model.
        """
        restored = self.restore_model(training_state)
        return training_state if restored is None else restored.state

    def restore_model(self, training_state: TrainingState) -> RestoredModel | None:
        """As ``restore_training_state``, with epoch and loss; ``None`` if there is nothing."""
        if self._models is None or not self.config.restore_checkpoint_if_exists:
            return None
        return self._models.restore(
            training_state, self.config.epoch_to_restore, self.config.restore_optimizer_state
        )

    def is_resume_point_due(self, finished_epoch: int | None = None) -> bool:
        """Whether to save a checkpoint for resuming now.

        Args:
            finished_epoch: number of the epoch that has just ended; ``None`` in the middle of one.
        """
        if self._resume_points is None or not self._is_writer:
            return False
        if not self._last_resume_write.done():
            return False
        interval = self.config.checkpoint_interval_seconds
        if interval is not None and time.monotonic() - self._last_save >= interval:
            return True
        n_epochs = self.config.checkpoint_interval_epochs
        return (
            n_epochs is not None and finished_epoch is not None and finished_epoch % n_epochs == 0
        )

    def save_resume_point(self, position: int, point: ResumePoint, is_branch: bool = False) -> None:
        """Write a checkpoint for resuming in the background.

        Args:
            position: a number that grows as training goes on.
            point: its arrays are copied on the device first; its record must not change any more.
            is_branch: whether to keep it as the one that longer trainings go on from.
        """
        checkpoints = self._branch_points if is_branch else self._resume_points
        if checkpoints is None or not self._is_writer:
            return
        parts = (point.arrays, point.scalars, point.is_sound)
        arrays, scalars, is_sound = snapshot(local(parts))
        copied = replace(point, arrays=arrays, scalars=scalars, is_sound=is_sound)
        self._last_save = time.monotonic()
        self._last_resume_write = self._submit(lambda: checkpoints.save(position, copied))

    def restore_resume_point(
        self, template: dict[str, Any], is_usable: Callable[[dict[str, Any]], bool]
    ) -> ResumePoint | None:
        """The newest whole checkpoint for resuming, if the config asks for it and there is one.

        Args:
            template: trees of arrays of the same names, types and shapes.
            is_usable: tells from a checkpoint's record whether the training can go on from it.

        Raises:
            UserError: if it is of another model or optimizer than ``template``.
            OtherCourseError: if there are checkpoints, but none of them is usable.
        """
        resume_points, branch_points = self._resume_points, self._branch_points
        if resume_points is None or branch_points is None or not self.config.resume:
            return None
        answers = []

        def is_wanted(record: dict[str, Any]) -> bool:
            answers.append(is_usable(record))
            return answers[-1]

        points = [
            point
            for checkpoints in (resume_points, branch_points)
            if (point := checkpoints.restore(template, is_wanted))
        ]
        if points:
            newest = max(points, key=lambda point: point.record["position"]["order"])
            self._forget_after(newest)
            return newest
        if answers:  # whole, but of no use
            raise OtherCourseError(
                f"{self.config.local_model_output_dir}: no checkpoint is from before the cooldown, "
                f"where a longer training goes on; train into another directory, or set "
                f"clear_previous_checkpoints"
            )
        return None

    def _forget_after(self, point: ResumePoint) -> None:
        """Remove what lies beyond: it is damaged, or of a shorter training that took other ways."""
        if self._models is None or self._resume_points is None or not self._is_writer:
            return
        place = point.record["position"]
        if self._resume_points.remove_after(place["order"]):
            self._models.remove_after(place["epoch"])

    def save_history(self, history: History, is_final: bool = False) -> None:
        """Write the tables of metrics and times in the background.

        Args:
            history: the rows.
            is_final: whether no more rows will come; otherwise nothing is written while the last
                tables are still waiting to be.
        """
        if self._is_writer and (is_final or self._last_history_write.done()):
            self._last_history_write = self._writer.submit(partial(self._write, history.copy()))

    def wait_until_finished(self) -> None:
        """Wait until all is written and uploaded; raises what went wrong with it."""
        self._writer.wait()
        while self._uploads:
            self._uploads.pop().result()

    def _open(self, directory: Path) -> None:
        self._models = ModelCheckpoints(directory / MODEL_DIR, self.config.max_checkpoints_to_keep)
        self._resume_points = ResumeCheckpoints(directory / RESUME_DIR)
        self._branch_points = ResumeCheckpoints(directory / BRANCH_DIR, max_to_keep=1)
        if not self._is_writer:
            return
        if self.config.clear_previous_checkpoints:
            shutil.rmtree(self._models.directory, ignore_errors=True)
            self._resume_points.clear()
            self._branch_points.clear()
        elif self.config.resume:
            return
        elif self.config.restore_checkpoint_if_exists:
            # A restored training takes another course than the one these would continue.
            self._resume_points.clear()
            self._branch_points.clear()
        elif self._models.epochs() or self._resume_points.positions():
            raise UserError(
                f"{directory}: has checkpoints of an earlier training; set resume to continue it, "
                f"clear_previous_checkpoints to remove them, or use another directory"
            )

    def _write(self, history: History) -> None:
        if self.config.metrics_csv is not None:
            write_table(self.config.metrics_csv, history.metrics)
        if self.config.timing_csv is not None:
            write_table(self.config.timing_csv, history.timing)

    def _submit(self, write: Callable[[], None]) -> Future[None]:
        return self._writer.submit(lambda: self._write_and_upload(write))

    def _write_and_upload(self, write: Callable[[], None]) -> None:
        write()
        if self._upload_fun is not None and self.config.local_model_output_dir is not None:
            upload = self._upload_fun(self.config.local_model_output_dir)
            if upload is not None:
                self._uploads.append(upload)


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


@jax.jit
def snapshot(tree: Any) -> Any:
    """A copy on the device, made when its turn comes: later steps do not change it."""
    return jax.tree.map(jnp.copy, tree)


_debias = jax.jit(get_debiased_params, static_argnums=1)
