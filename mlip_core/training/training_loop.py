"""The training loop: epochs of steps, evaluations, best models, and exact resumption."""

import dataclasses
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mlip_core.models.force_field import ForceField
from mlip_core.models.loss import Loss
from mlip_core.training.batches import device_batches, steps_per_epoch
from mlip_core.training.ema import exponentially_moving_average, get_debiased_params
from mlip_core.training.evaluation import make_evaluation_step, run_evaluation
from mlip_core.training.history import History
from mlip_core.training.in_flight import InFlight
from mlip_core.training.log_category import LogCategory
from mlip_core.training.metrics_reweighting import MetricSums
from mlip_core.training.optimizer import LEARNING_RATE
from mlip_core.training.parallel import mesh_of_all_devices
from mlip_core.training.progress import TrainingProgress
from mlip_core.training.resume_checkpoints import ResumePoint
from mlip_core.training.training_io_handler import TrainingIOHandler, snapshot
from mlip_core.training.training_loggers import log_metrics_to_line
from mlip_core.training.training_loop_config import TrainingLoopConfig
from mlip_core.training.training_state import TrainingState, init_training_state
from mlip_core.training.training_step import make_train_step
from mlip_core.utils.errors import UserError

EVALUATION_ORDER = 0
"""The epoch whose order of data evaluations use: always the same, so that sums round alike."""


@dataclasses.dataclass
class _Best:
    """The best model so far: its parameters, validation loss and epoch."""

    params: Any
    loss: float
    epoch: int


@dataclasses.dataclass
class _Position:
    """Where a training stands.

    Attributes:
        epoch: number of the epoch under way or, between epochs, of the last one; the first is 1.
        step: steps done in the epoch; ``None`` between epochs.
        total_steps: steps done in all.
        seconds: time spent in the epoch before this process.
    """

    epoch: int = 0
    step: int | None = None
    total_steps: int = 0
    seconds: float = 0.0

    @property
    def order(self) -> int:
        """A number that grows with each step and each end of an epoch."""
        return self.total_steps + self.epoch - (self.step is not None)


class TrainingLoop:
    """Trains a force field.

    It only loops: data, force field, loss and optimizer are made outside. With an IO handler whose
    config has ``resume``, it starts where a killed training of the same output directory was saved
    last, and ends with the same parameters, best model and metrics, bit for bit. A larger
    ``num_epochs`` continues a finished training.

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
        self._io = io_handler or _default_io_handler()
        self._progress = progress
        if progress is not None:
            self._io.attach_logger(progress.log)
        ema_fun = exponentially_moving_average(config.ema_decay)
        self._train_step = make_train_step(
            force_field.predictor,
            loss,
            optimizer,
            ema_fun,
            config.num_gradient_accumulation_steps,
            self.mesh,
        )
        self._evaluation_step = make_evaluation_step(force_field.predictor, loss, self.mesh)
        state = init_training_state(force_field.params, optimizer, ema_fun)
        self.training_state: TrainingState = self._replicate(state)
        self.history = History()
        self._position = _Position()
        self._best = _Best(snapshot(self.training_state.params), math.inf, 0)
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
            UserError: if the loss is not finite any more. The best model stays as it was.
        """
        self._io.save_dataset_info(self._force_field.dataset_info)
        if self._progress is not None:
            n_steps = steps_per_epoch(self._train_dataset, self.mesh)
            self._progress.start(self.config.num_epochs, n_steps, max(self._finished_epochs, 0))
        try:
            self._run()
        finally:
            if self._progress is not None:
                self._progress.stop()
            self._io.wait_until_finished()

    def test(self, test_dataset: Any) -> dict[str, float]:
        """Evaluate the best model on other data; log and return its metrics (MAE and MSE)."""
        metrics = self._evaluate(self._best.params, test_dataset, self._best.epoch)
        self._io.log(LogCategory.TEST_METRICS, metrics, self._best.epoch)
        return metrics

    def _run(self) -> None:
        is_complete = self._is_started and self._finished_epochs >= self.config.num_epochs
        if not self._is_started:
            self._is_started = True
            if self.config.run_eval_at_start:
                self._evaluate_and_judge()
        while self._finished_epochs < self.config.num_epochs:
            self._train_epoch()
            self._evaluate_and_judge()
            self._end_epoch()
        self._io.save_history(self.history, is_final=True)
        if not is_complete:
            self._save_resume_point()

    @property
    def _finished_epochs(self) -> int:
        return self._position.epoch - (self._position.step is not None)

    # --- one epoch

    def _train_epoch(self) -> None:
        position = self._position
        if position.step is None:
            self._position = position = _Position(position.epoch + 1, 0, position.total_steps)
            self._sums = None
        start = time.perf_counter() - position.seconds
        in_flight = InFlight()
        for batch in device_batches(
            self._train_dataset, position.epoch, position.step or 0, self.mesh
        ):
            self._check_finite(in_flight.add(self._do_step(batch)))
            position.seconds = time.perf_counter() - start
            if self._progress is not None:
                self._progress.step(position.epoch, position.step or 0)
            if self._io.is_resume_point_due():
                self._save_resume_point()
        self._check_finite(in_flight.drain())
        self._check_accumulation()
        self._log_training(time.perf_counter() - start)
        position.step = None

    def _do_step(self, batch: Any) -> jax.Array:
        position = self._position
        epoch = np.int32(position.epoch)
        self.training_state, self._sums, is_finite = self._train_step(
            self.training_state, self._sums, batch, epoch
        )
        position.step = (position.step or 0) + 1
        position.total_steps += 1
        return is_finite

    def _check_finite(self, results: list[jax.Array]) -> None:
        if all(bool(is_finite) for is_finite in results):
            return
        raise UserError(
            f"training diverged in epoch {self._position.epoch}: the loss is not finite any more; "
            f"lower peak_learning_rate or grad_norm. The best model is of epoch {self._best.epoch}"
        )

    def _check_accumulation(self) -> None:
        """Compare the count of accumulated gradients with that of ``optax.MultiSteps``."""
        state = self.training_state
        n_steps = self.config.num_gradient_accumulation_steps
        found = optax.tree.get_all_with_path(state.optimizer_state, "mini_step")
        if int(found[0][1]) != int(state.acc_steps) if found else n_steps != 1:
            raise UserError(
                f"num_gradient_accumulation_steps of the training loop, {n_steps}, is not that of "
                f"the optimizer; give both the same"
            )

    def _log_training(self, seconds: float) -> None:
        epoch = self._position.epoch
        if self._sums is None:
            raise UserError("the training set has given no batches: it has to be iterable again")
        metrics = self._sums.averages()
        rates = optax.tree.get_all_with_path(self.training_state.optimizer_state, LEARNING_RATE)
        if rates:
            metrics[LEARNING_RATE] = float(rates[0][1])
        counts = jax.device_get(self._sums.counts)
        timing = {
            "runtime_in_seconds": seconds,
            "nodes_per_second": int(counts.nodes) / seconds,
            "graphs_per_second": int(counts.graphs) / seconds,
        }
        self._io.log(LogCategory.TRAIN_METRICS, metrics, epoch)
        self._io.log(LogCategory.SYSTEM_METRICS, timing, epoch)
        self.history.add_metrics(epoch, "train_", metrics)
        self.history.add_timing(epoch, timing)

    def _end_epoch(self) -> None:
        epoch = self._position.epoch
        if self._progress is not None:
            self._progress.end_epoch(epoch)
        self._io.save_history(self.history)
        if self._io.is_resume_point_due(epoch):
            self._save_resume_point()

    # --- evaluation

    def _evaluate(self, params: Any, dataset: Any, epoch: int) -> dict[str, float]:
        batches = device_batches(dataset, EVALUATION_ORDER, mesh=self.mesh)
        metrics = run_evaluation(self._evaluation_step, batches, params, np.int32(epoch))
        if not metrics:
            raise UserError(
                "a dataset to evaluate has given no batches: it has to be iterable again"
            )
        return metrics

    def _evaluate_and_judge(self) -> None:
        epoch = self._position.epoch
        params = self._params_to_evaluate()
        metrics = self._evaluate(params, self._validation_dataset, epoch)
        self._io.log(LogCategory.EVAL_METRICS, metrics, epoch)
        if metrics["loss"] < self._best.loss:
            self._best = _Best(params, metrics["loss"], epoch)
            if epoch > 0:
                self._save_best_model()
        best = {"best_loss": self._best.loss, "best_epoch": self._best.epoch}
        self._io.log(LogCategory.BEST_MODEL, best, epoch)
        self.history.add_metrics(epoch, "valid_", metrics)
        self.history.add_metrics(epoch, "", best)

    def _params_to_evaluate(self) -> Any:
        """Copies, since the next step takes over the memory of the state."""
        state = self.training_state
        if self.config.use_ema_params_for_eval and int(state.num_steps) > 0:
            return _debias(state.ema_state, self.config.ema_decay)
        return snapshot(state.params)

    def _save_best_model(self) -> None:
        self._io.save_checkpoint(
            self.training_state,
            self._best.epoch,
            ema_decay=self.config.ema_decay,
            best_loss=self._best.loss,
        )

    # --- state

    def _resume(self) -> bool:
        point = self._io.restore_resume_point(self._arrays())
        if point is None:
            return False
        record = point.record
        self._check_identity(record["identity"])
        arrays = self._replicate(point.arrays)
        self.training_state = arrays["state"]
        if point.scalars:
            self._sums = self._replicate(MetricSums.from_scalars(point.scalars))
        self._position = _Position(**record["position"])
        self._best = _Best(arrays["best_params"], record["best_loss"], record["best_epoch"])
        self.history = History(record["metrics"], record["timing"])
        self._io.log(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, self._finished_epochs)
        return True

    def _restore_model(self) -> bool:
        restored = self._io.restore_model(self.training_state)
        if restored is None:
            return False
        self.training_state = self._replicate(restored.state)
        self._position = _Position(epoch=restored.epoch)
        loss = math.inf if restored.best_loss is None else restored.best_loss
        self._best = _Best(self._params_to_evaluate(), loss, restored.epoch)
        self._io.log(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, restored.epoch)
        return True

    def _save_resume_point(self) -> None:
        record = {
            "identity": self._identity(),
            "position": dataclasses.asdict(self._position),
            "best_loss": self._best.loss,
            "best_epoch": self._best.epoch,
            "metrics": self.history.copy().metrics,
            "timing": self.history.copy().timing,
        }
        scalars: dict[str, jax.Array] = {} if self._sums is None else self._sums.to_scalars()
        is_sound = _all_finite(self.training_state.params)
        point = ResumePoint(self._arrays(), scalars, record, is_sound)
        self._io.save_resume_point(self._position.order, point)

    def _arrays(self) -> dict[str, Any]:
        return {"state": self.training_state, "best_params": self._best.params}

    def _identity(self) -> dict[str, Any]:
        """What has to be the same for a training to go on as it would have."""
        return self.config.model_dump(mode="json", exclude={"num_epochs"}) | {
            "steps_per_epoch": steps_per_epoch(self._train_dataset, self.mesh),
            "devices_per_step": self.mesh.size if self.mesh else 1,
        }

    def _check_identity(self, stored: dict[str, Any]) -> None:
        for name, value in self._identity().items():
            if stored.get(name) != value:
                directory = self._io.config.local_model_output_dir
                raise UserError(
                    f"{directory}: its training has {name} = {stored.get(name)}, this one {value}; "
                    f"train into another directory, or set clear_previous_checkpoints"
                )

    def _replicate(self, tree: Any) -> Any:
        if self.mesh is None:
            return jax.device_put(tree)
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))


def _check_not_empty(dataset: Any, name: str) -> None:
    if hasattr(dataset, "__len__") and len(dataset) == 0:
        raise UserError(f"the {name} set is empty: give it structures, or another split")


def _default_io_handler() -> TrainingIOHandler:
    io_handler = TrainingIOHandler()
    io_handler.attach_logger(log_metrics_to_line)
    return io_handler


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


_debias = jax.jit(get_debiased_params, static_argnums=1)
