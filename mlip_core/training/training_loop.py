"""The training loop: epochs of steps, evaluations, best models, and exact resumption."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from mlip_core.models.force_field import ForceField
from mlip_core.models.loss import Loss
from mlip_core.training.averages import (
    evaluates_average,
    params_to_evaluate,
    with_empty_swa_mean,
    with_epoch_in_swa_mean,
)
from mlip_core.training.batches import device_batches, steps_per_epoch
from mlip_core.training.course import Course
from mlip_core.training.decisions import (
    cooldown_scale,
    loss_limit,
    plateau_scale,
    stopping_epoch,
)
from mlip_core.training.ema import exponentially_moving_average
from mlip_core.training.evaluation import make_evaluation_step, run_evaluation
from mlip_core.training.history import History
from mlip_core.training.in_flight import InFlight
from mlip_core.training.log_category import LogCategory
from mlip_core.training.metric_sums import MetricSums
from mlip_core.training.optimizer import LEARNING_RATE
from mlip_core.training.parallel import mesh_of_all_devices, replicate
from mlip_core.training.progress import TrainingProgress
from mlip_core.training.resume_checkpoints import ResumePoint
from mlip_core.training.standing import Best, Position
from mlip_core.training.training_io_handler import TrainingIOHandler
from mlip_core.training.training_loggers import log_metrics_to_line
from mlip_core.training.training_loop_config import TrainingLoopConfig
from mlip_core.training.training_state import TrainingState, init_training_state, snapshot
from mlip_core.training.training_step import make_train_step
from mlip_core.utils.errors import UserError
from mlip_core.utils.stopping import StoppedError

EVALUATION_ORDER = 0
"""The epoch whose order of data evaluations use: always the same, so that sums round alike."""

logger = logging.getLogger(__name__)


class _DivergedError(Exception):
    """The training has diverged; the message says how."""


@dataclasses.dataclass(frozen=True)
class _EpochSettings:
    """What is the same for all steps of an epoch: scalars of the compiled step."""

    epoch: np.int32
    learning_rate_scale: np.float32
    loss_limit: np.float32


class TrainingLoop:
    """Trains a force field.

    It only loops: data, force field, loss and optimizer are made outside. With an IO handler whose
    config has ``resume``, it starts where a killed training of the same output directory was saved
    last, and ends with the same parameters, best model and metrics, bit for bit. A larger
    ``num_epochs`` continues a finished training.

    A training that diverges goes back to the end of its best epoch and on with a smaller learning
    rate; see ``DivergenceConfig``.

    Attributes:
        training_state: the state; after ``run``, the final one.
        history: metrics and times of all epochs so far.
        mesh: the devices that share a step; ``None`` for one device.
    """

    Config = TrainingLoopConfig

    def __init__(
        self,
        train_dataset: Any,
        validation_dataset: Any,
        force_field: ForceField,
        loss: Loss,
        optimizer: optax.GradientTransformation,
        config: TrainingLoopConfig,
        io_handler: TrainingIOHandler | None = None,
        mesh: Mesh | None = None,
        should_parallelize: bool | None = None,
        progress: TrainingProgress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Make or restore the state of the training.

        Args:
            train_dataset: gives batches: a ``GraphDataset``, or anything that can be iterated again
                and again. Where it has ``epoch(number, start_batch)``, that decides the order.
            validation_dataset: the same for evaluations.
            force_field: the model; its parameters are where training starts.
            loss: what to minimise.
            optimizer: any Optax optimizer.
            config: the settings.
            io_handler: checkpoints and logging; if ``None``, no checkpoints and a line of metrics.
            mesh: devices to share each step, one batch each.
            should_parallelize: whether to share each step over all devices, if no mesh is given.
            progress: shows how far the training is.
            should_stop: asked after each step; once it says so, the training is saved and ``run``
                raises ``StoppedError``. With several processes, JAX's notice of SIGTERM is asked
                instead, so that all stop after the same step.

        Raises:
            UserError: if the training set is empty, or a checkpoint does not fit.
        """
        _check_not_empty(train_dataset, "training")
        _check_not_empty(validation_dataset, "validation")
        self.config = config
        self.mesh = mesh or (mesh_of_all_devices() if should_parallelize else None)
        self._train_dataset = train_dataset
        self._validation_dataset = validation_dataset
        if config.eval_num_graphs is not None:
            self._validation_dataset = validation_dataset.subset(config.eval_num_graphs)
        self._force_field = force_field
        self._loss = loss
        self._io = io_handler or _default_io_handler()
        self._progress = progress
        if progress is not None:
            self._io.attach_logger(progress.log)
        self._should_stop = should_stop or (lambda: False)
        self._steps_here = 0
        self._course = Course(
            config,
            steps_per_epoch=steps_per_epoch(train_dataset, self.mesh),
            devices_per_step=self.mesh.size if self.mesh else 1,
            directory=self._io.config.local_model_output_dir,
        )
        ema_fun = exponentially_moving_average(config.ema_decay)
        self._train_step = make_train_step(
            force_field.predictor,
            loss,
            optimizer,
            ema_fun,
            config.num_gradient_accumulation_steps,
            self.mesh,
            config.matmul_precision,
        )
        self._evaluation_step = make_evaluation_step(
            force_field.predictor, loss, self.mesh, config.matmul_precision
        )
        state = with_empty_swa_mean(
            init_training_state(force_field.params, optimizer, ema_fun), config
        )
        self.training_state: TrainingState = replicate(state, self.mesh)
        self.history = History()
        self._position = Position()
        self._best = self._best_of(self.training_state, math.inf, 0)
        self._sums: MetricSums | None = None
        self._is_started = self._resume() or self._restore_model()

    @property
    def best_model(self) -> ForceField:
        """The force field with the lowest validation loss, with the parameters that had it.

        With ``use_ema_params_for_eval`` these are averaged parameters.
        """
        params = jax.tree.map(jnp.asarray, jax.device_get(self._best.params))
        return dataclasses.replace(self._force_field, params=params)

    @property
    def best_epoch(self) -> int:
        """The epoch after which the model was best; 0 is before training."""
        return self._best.epoch

    @property
    def best_loss(self) -> float:
        """Validation loss of the best model; infinite before the first evaluation."""
        return self._best.loss

    def run(self) -> None:
        """Train until ``num_epochs`` epochs are done; at once if a restored training has them.

        Raises:
            UserError: if the training diverges again and again. The best model stays as it was.
            StoppedError: if ``should_stop`` has said so. All is saved.
        """
        self._io.save_dataset_info(self._force_field.dataset_info)
        if self._progress is not None:
            finished = self._position.finished_epochs
            self._progress.start(self.config.num_epochs, self._course.steps_per_epoch, finished)
        try:
            self._run()
        except StoppedError:
            self._save_resume_point()
            raise
        finally:
            if self._progress is not None:
                self._progress.stop()
            self._io.wait_until_finished()

    def test(self, test_dataset: Any) -> dict[str, float]:
        """Evaluate the best model on other data; log and return its metrics (MAE and MSE)."""
        batches = device_batches(test_dataset, EVALUATION_ORDER, mesh=self.mesh)
        metrics = self._evaluate(self._best.params, batches, self._best.epoch)
        self._io.log(LogCategory.TEST_METRICS, metrics, self._best.epoch)
        return metrics

    def _run(self) -> None:
        is_complete = self._is_started and self._is_finished()
        if not self._is_started and self.config.run_eval_at_start:
            self._evaluate_and_judge()
        self._is_started = True
        while not self._is_finished():
            try:
                self._train_epoch()
                self._evaluate_and_judge()
            except _DivergedError as error:
                self._go_back(str(error))
            else:
                self._end_epoch()
        self._io.save_history(self.history, is_final=True)
        if not is_complete:
            self._save_resume_point()

    def _is_finished(self) -> bool:
        if self._position.finished_epochs >= self.config.num_epochs:
            return True
        is_between_epochs = self._position.step is None
        rows, early_stopping = self.history.metrics, self.config.early_stopping
        return is_between_epochs and stopping_epoch(rows, early_stopping) is not None

    def _stop_if_asked(self) -> None:
        if jax.process_count() > 1:
            # JAX waits for one number of those it is asked about: none may be left out.
            self._steps_here += 1
            is_asked = multihost_utils.reached_preemption_sync_point(self._steps_here)
        else:
            is_asked = self._should_stop()
        if is_asked:
            raise StoppedError(f"stopped in epoch {self._position.epoch}; start again to resume")

    # --- one epoch

    def _train_epoch(self) -> None:
        position = self._position
        if position.step is None:
            position.begin_epoch()
            self._sums = None
        settings = self._epoch_settings()
        start = time.perf_counter() - position.seconds
        in_flight = InFlight()
        for batch in self._training_batches():
            self._check_sound(in_flight.add(self._do_step(batch, settings)))
            position.seconds = time.perf_counter() - start
            if self._progress is not None:
                self._progress.step(position.epoch, position.step or 0)
            self._stop_if_asked()
            if self._io.is_resume_point_due():
                self._save_resume_point()
        self._check_sound(in_flight.drain())
        self._check_accumulation()
        self._log_training(time.perf_counter() - start, settings)

    def _training_batches(self) -> Iterator[Any]:
        """The rest of the epoch; notes the time that the loop waits for data."""
        position = self._position
        batches = device_batches(self._train_dataset, position.epoch, position.step or 0, self.mesh)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            position.seconds_waiting += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def _epoch_settings(self) -> _EpochSettings:
        epoch = self._position.epoch
        divergence = self.config.divergence
        rows = [row for row in self.history.metrics if row["epoch"] < epoch]
        scale = plateau_scale(rows, self.config.plateau) * cooldown_scale(
            epoch, self.config.num_epochs, self.config.cooldown
        )
        return _EpochSettings(
            np.int32(epoch),
            np.float32(scale * divergence.factor**self._position.rollbacks),
            np.float32(loss_limit(rows, self._loss, epoch, divergence.loss_ratio)),
        )

    def _do_step(self, batch: Any, settings: _EpochSettings) -> jax.Array:
        self.training_state, self._sums, is_sound = self._train_step(
            self.training_state,
            self._sums,
            batch,
            settings.epoch,
            settings.learning_rate_scale,
            settings.loss_limit,
        )
        self._position.advance()
        return is_sound

    def _check_sound(self, results: list[jax.Array]) -> None:
        """Look at what is known by now: to wait for the newest steps would slow them down.

        Nothing is lost by that: checkpoints know whether they are sound, and a training that has
        diverged goes back further than these steps.
        """
        if not all(bool(is_sound) for is_sound in results):
            raise _DivergedError("the loss explodes or is not finite any more")

    def _check_accumulation(self) -> None:
        """Compare the count of accumulated gradients with that of ``optax.MultiSteps``."""
        state = self.training_state
        n_steps = self.config.num_gradient_accumulation_steps
        counts = optax.tree.get_all_with_path(state.optimizer_state, "mini_step")
        is_same = int(counts[0][1]) == int(state.acc_steps) if counts else n_steps == 1
        if not is_same:
            raise UserError(
                f"num_gradient_accumulation_steps of the training loop, {n_steps}, is not that of "
                f"the optimizer; give both the same"
            )

    def _log_training(self, seconds: float, settings: _EpochSettings) -> None:
        epoch = self._position.epoch
        if self._sums is None:
            raise UserError("the training set has given no batches: it has to be iterable again")
        metrics = self._sums.averages()
        rates = optax.tree.get_all_with_path(self.training_state.optimizer_state, LEARNING_RATE)
        if rates:
            metrics[LEARNING_RATE] = float(rates[0][1]) * float(settings.learning_rate_scale)
        counts = jax.device_get(self._sums.counts)
        timing = {
            "runtime_in_seconds": seconds,
            "nodes_per_second": int(counts.nodes) / seconds,
            "graphs_per_second": int(counts.graphs) / seconds,
            "edges_per_second": int(counts.edges) / seconds,
            "share_waiting_for_data": self._position.seconds_waiting / seconds,
        }
        self._io.log(LogCategory.TRAIN_METRICS, metrics, epoch)
        self._io.log(LogCategory.SYSTEM_METRICS, timing, epoch)
        self.history.add_metrics(epoch, "train_", metrics)
        self.history.add_timing(epoch, timing)

    def _end_epoch(self) -> None:
        self._position.end_epoch()
        epoch = self._position.epoch
        if self._progress is not None:
            self._progress.end_epoch(epoch)
        self._io.save_history(self.history)
        if self._io.is_resume_point_due(epoch):
            self._save_resume_point()
        if epoch == self._course.branch_epoch < self.config.num_epochs:
            self._save_resume_point(is_branch=True)

    def _go_back(self, reason: str) -> None:
        """Go on from the end of the best epoch with a smaller learning rate."""
        position, divergence = self._position, self.config.divergence
        place = f"training diverged in epoch {position.epoch}: {reason}"
        if position.rollbacks >= divergence.max_rollbacks:
            raise UserError(
                f"{place}, also after going back {position.rollbacks} times; lower "
                f"peak_learning_rate or grad_norm. The best model is of epoch {self._best.epoch}"
            )
        self.training_state, self._sums = snapshot(self._best.state), None
        position.go_back(self._best.epoch)
        self.history.forget_after(position.epoch)
        scale = divergence.factor**position.rollbacks
        logger.warning(
            "%s; going on from epoch %d with %g times the learning rate",
            place,
            position.epoch,
            scale,
        )
        self._io.log(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, position.epoch)
        self._save_resume_point()

    # --- evaluation

    def _evaluate(self, params: Any, batches: Iterator[Any], epoch: int) -> dict[str, float]:
        metrics = run_evaluation(self._evaluation_step, batches, params, np.int32(epoch))
        if not metrics:
            raise UserError(
                "a dataset to evaluate has given no batches: it has to be iterable again"
            )
        return metrics

    def _validation_batches(self) -> Iterator[Any]:
        for batch in device_batches(self._validation_dataset, EVALUATION_ORDER, mesh=self.mesh):
            yield batch
            if self._is_started and jax.process_count() == 1:
                self._stop_if_asked()

    def _evaluate_and_judge(self) -> None:
        """Changes nothing that a checkpoint holds before the evaluation is done."""
        epoch = self._position.epoch
        state = with_epoch_in_swa_mean(self.training_state, self.config, epoch)
        params = params_to_evaluate(state, self.config)
        metrics = self._evaluate(params, self._validation_batches(), epoch)
        if epoch > 0 and not math.isfinite(metrics["loss"]):
            raise _DivergedError("the loss of the validation set is not finite any more")
        self.training_state = state
        self._io.log(LogCategory.EVAL_METRICS, metrics, epoch)
        if metrics["loss"] < self._best.loss:
            self._best = Best(snapshot(state), params, metrics["loss"], epoch)
            if epoch > 0:
                self._save_best_model()
        best = {"best_loss": self._best.loss, "best_epoch": self._best.epoch}
        self._io.log(LogCategory.BEST_MODEL, best, epoch)
        self.history.add_metrics(epoch, "valid_", metrics)
        self.history.add_metrics(epoch, "", best)

    def _best_of(self, state: TrainingState, loss: float, epoch: int) -> Best:
        return Best(snapshot(state), params_to_evaluate(state, self.config), loss, epoch)

    def _save_best_model(self) -> None:
        self._io.save_checkpoint(
            self.training_state,
            self._best.epoch,
            averaged_params=self._best.params if evaluates_average(self.config) else None,
            best_loss=self._best.loss,
        )

    # --- state

    def _resume(self) -> bool:
        template = {"state": self.training_state, "best": self.training_state}
        point = self._io.restore_resume_point(template, self._course.includes)
        if point is None:
            return False
        record = point.record
        self._course.check_settings(record)
        arrays = replicate(point.arrays, self.mesh)
        self.training_state = arrays["state"]
        if point.scalars:
            self._sums = replicate(MetricSums.from_scalars(point.scalars), self.mesh)
        self._position = Position(**record["position"])
        best = arrays.get("best", self.training_state)
        self._best = self._best_of(best, record["best_loss"], record["best_epoch"])
        self.history = History(record["metrics"], record["timing"])
        finished = self._position.finished_epochs
        self._io.log(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, finished)
        return True

    def _restore_model(self) -> bool:
        restored = self._io.restore_model(self.training_state)
        if restored is None:
            return False
        self.training_state = replicate(restored.state, self.mesh)
        self._position = Position(epoch=restored.epoch)
        loss = math.inf if restored.best_loss is None else restored.best_loss
        self._best = self._best_of(self.training_state, loss, restored.epoch)
        self._io.log(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, restored.epoch)
        return True

    def _save_resume_point(self, is_branch: bool = False) -> None:
        history = self.history.copy()
        record = {
            **self._course.to_json(),
            "position": dataclasses.asdict(self._position),
            "best_loss": self._best.loss,
            "best_epoch": self._best.epoch,
            "metrics": history.metrics,
            "timing": history.timing,
        }
        arrays = {"state": self.training_state}
        if self._position.step is not None or self._position.epoch != self._best.epoch:
            arrays["best"] = self._best.state
        is_sound = True if self._sums is None else self._sums.is_sound
        scalars: dict[str, jax.Array] = {} if self._sums is None else self._sums.to_scalars()
        self._io.save_resume_point(
            self._position.order, ResumePoint(arrays, scalars, record, is_sound), is_branch
        )


def _check_not_empty(dataset: Any, name: str) -> None:
    if hasattr(dataset, "__len__") and len(dataset) == 0:
        raise UserError(f"the {name} set is empty: give it structures, or another split")


def _default_io_handler() -> TrainingIOHandler:
    io_handler = TrainingIOHandler()
    io_handler.attach_logger(log_metrics_to_line)
    return io_handler
