"""What a training writes: checkpoints, dataset info, tables of metrics, and calls of loggers."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax

from mlip_core.data.dataset_info import DatasetInfo, write_dataset_info
from mlip_core.training.averages import debiased
from mlip_core.training.background_writer import BackgroundWriter
from mlip_core.training.checkpoint_directory import CheckpointDirectory
from mlip_core.training.course import OtherCourseError
from mlip_core.training.history import History, write_table
from mlip_core.training.log_category import LogCategory, Logger
from mlip_core.training.model_checkpoints import CheckpointRestorationError, RestoredModel
from mlip_core.training.parallel import as_local
from mlip_core.training.resume_checkpoints import ResumePoint
from mlip_core.training.training_io_handler_config import StrPath, TrainingIOHandlerConfig
from mlip_core.training.training_state import TrainingState, snapshot

__all__ = [
    "CheckpointRestorationError",
    "LogCategory",
    "TrainingIOHandler",
    "TrainingIOHandlerConfig",
]

DATASET_INFO_FILE = "dataset_info.json"

UploadFunction = Callable[[StrPath], Future[Any] | None]


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
        self._last_resume_time = time.monotonic()
        self._last_resume_write = _done()
        self._last_history_write = _done()
        self._is_writer = jax.process_index() == 0
        self._checkpoints: CheckpointDirectory | None = None
        if self.config.local_model_output_dir is not None:
            path = Path(self.config.local_model_output_dir).resolve()
            self._checkpoints = CheckpointDirectory(path, self.config.max_checkpoints_to_keep)
            if self._is_writer:
                self._checkpoints.prepare(self.config)

    def attach_logger(self, logger: Logger) -> None:
        """Add a function of a category, what to log, and the number of the epoch."""
        self._loggers.append(logger)

    def log(self, category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        """Call all loggers."""
        for logger in self._loggers if self._is_writer else ():
            logger(category, to_log, epoch_number)

    def save_dataset_info(self, dataset_info: DatasetInfo) -> None:
        """Write ``dataset_info.json``."""
        if self._checkpoints is not None and self._is_writer:
            path = self._checkpoints.path / DATASET_INFO_FILE
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
        if self._checkpoints is None or not self._is_writer:
            return
        models = self._checkpoints.models
        state, ema = snapshot(as_local((training_state, averaged_params)))
        if not self.config.save_debiased_ema:
            ema = None
        elif ema is None:
            ema = debiased(state.ema_state, self.config.ema_decay)
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
        if self._checkpoints is None or not self.config.restore_checkpoint_if_exists:
            return None
        return self._checkpoints.models.restore(
            training_state, self.config.epoch_to_restore, self.config.restore_optimizer_state
        )

    def is_resume_point_due(self, finished_epoch: int | None = None) -> bool:
        """Whether to save a checkpoint for resuming now.

        Args:
            finished_epoch: number of the epoch that has just ended; ``None`` in the middle of one.
        """
        if self._checkpoints is None or not self._is_writer:
            return False
        if not self._last_resume_write.done():
            return False
        interval = self.config.checkpoint_interval_seconds
        if interval is not None and time.monotonic() - self._last_resume_time >= interval:
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
        if self._checkpoints is None or not self._is_writer:
            return
        directory = self._checkpoints
        points = directory.branch_points if is_branch else directory.resume_points
        parts = (point.arrays, point.scalars, point.is_sound)
        arrays, scalars, is_sound = snapshot(as_local(parts))
        copied = replace(point, arrays=arrays, scalars=scalars, is_sound=is_sound)
        self._last_resume_time = time.monotonic()
        self._last_resume_write = self._submit(lambda: points.save(position, copied))

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
        if self._checkpoints is None or not self.config.resume:
            return None
        answers = []

        def is_wanted(record: dict[str, Any]) -> bool:
            answers.append(is_usable(record))
            return answers[-1]

        newest = self._checkpoints.newest_point(template, is_wanted)
        if newest is None and answers:  # whole, but of no use
            raise OtherCourseError(
                f"{self.config.local_model_output_dir}: no checkpoint is from before the cooldown, "
                f"where a longer training goes on; train into another directory, or set "
                f"clear_previous_checkpoints"
            )
        if self._is_writer and newest is not None:
            self._checkpoints.forget_after(newest)
        elif self._is_writer:
            self._checkpoints.forget_points()  # damaged: newer than those to come, they would stay
        return newest

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
