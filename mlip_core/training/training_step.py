"""One training step, compiled as a whole, on one device or many."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh

from mlip_core.training.ema import EMAParameterTransformation
from mlip_core.training.metric_sums import Counts, MetricSums, count_batch, empty_sums
from mlip_core.training.parallel import average_over_devices, on_each_device
from mlip_core.training.training_state import TrainingState
from mlip_core.utils.garbage import collector_paused

Metrics = dict[str, jax.Array]
LossFunction = Callable[..., tuple[jax.Array, Metrics]]
StepResult = tuple[TrainingState, MetricSums, jax.Array]

NO_LIMIT = np.float32(np.inf)
FULL_RATE = np.float32(1)


class TrainStep:
    """A training step: ``(state, sums, batch, epoch) -> (state, sums, is_sound)``.

    It takes over the memory of ``state`` and ``sums``; ``sums`` is ``None`` in the first step of an
    epoch. ``is_sound`` is a boolean scalar on the device: whether in this step and those that are
    in ``sums`` the loss was below its limit, and loss, gradients and updates were finite.
    """

    def __init__(
        self,
        step: Callable[..., StepResult],
        metrics_fun: Callable[[Any, jraph.GraphsTuple, Any], Metrics],
    ) -> None:
        """Compile ``step``, whose metrics have the names and types that ``metrics_fun`` gives."""
        self._step = jax.jit(step, donate_argnums=(0, 1))
        self._metrics_fun = metrics_fun
        self._metric_types: dict[str, jax.ShapeDtypeStruct] | None = None

    def __call__(
        self,
        state: TrainingState,
        sums: MetricSums | None,
        batch: jraph.GraphsTuple,
        epoch: Any,
        learning_rate_scale: Any = FULL_RATE,
        loss_limit: Any = NO_LIMIT,
    ) -> StepResult:
        """Do one step.

        Args:
            state: of the training.
            sums: of the metrics of the epoch.
            batch: one batch, or one for each device.
            epoch: its number.
            learning_rate_scale: what the update of the parameters is multiplied by.
            loss_limit: above which loss the training has diverged.
        """
        with collector_paused():  # the first step is traced
            if sums is None:
                sums = self._empty_sums(state.params, batch, epoch)
            return self._step(state, sums, batch, epoch, learning_rate_scale, loss_limit)

    def lower(
        self, state: TrainingState, batch: jraph.GraphsTuple, epoch: Any
    ) -> jax.stages.Lowered:
        """The step as XLA gets it, to look at or to compile ahead of the first one."""
        with collector_paused():
            sums = self._empty_sums(state.params, batch, epoch)
            return self._step.lower(state, sums, batch, epoch, FULL_RATE, NO_LIMIT)

    def _empty_sums(self, params: Any, batch: jraph.GraphsTuple, epoch: Any) -> MetricSums:
        if self._metric_types is None:
            self._metric_types = jax.eval_shape(self._metrics_fun, params, batch, epoch)
        return empty_sums(self._metric_types, like=params)


def make_train_step(
    predictor: Any,
    loss_fun: LossFunction,
    optimizer: optax.GradientTransformation,
    ema_fun: EMAParameterTransformation,
    num_gradient_accumulation_steps: int = 1,
    mesh: Mesh | None = None,
    matmul_precision: str | None = None,
) -> TrainStep:
    """One step of an optimizer on one batch.

    Args:
        predictor: gives ``predictor.apply(params, graph) -> Prediction``.
        loss_fun: a ``Loss``.
        optimizer: any Optax optimizer; accumulates gradients by itself.
        ema_fun: the moving average; follows the parameters whenever they are updated.
        num_gradient_accumulation_steps: how many steps the optimizer accumulates, 1 for none.
        mesh: devices to share a step; the batch then has a leading axis of that length, one batch
            for each device, and the step is that of all their structures in one batch.
        matmul_precision: of the factors of matrix products; see ``TrainingLoopConfig``.
    """
    gradients_of, metrics_of = _gradient_functions(predictor, loss_fun, mesh, matmul_precision)

    def step(
        state: TrainingState,
        sums: MetricSums,
        batch: jraph.GraphsTuple,
        epoch: Any,
        learning_rate_scale: Any,
        loss_limit: Any,
    ) -> StepResult:
        gradients, metrics, counts = gradients_of(state.params, batch, epoch)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer_state, state.params)
        updates = jax.tree.map(lambda x: x * learning_rate_scale.astype(x.dtype), updates)
        state = _advance(state, updates, optimizer_state, ema_fun, num_gradient_accumulation_steps)
        metrics |= _norms(gradients, updates)
        counts = dataclasses.replace(counts, batches=jnp.int32(1), updates=_was_updated(state))
        sums = sums.add(metrics, counts, _is_sound(metrics, loss_limit))
        # A copy: the next step takes over the memory of the sums.
        return state, sums, jnp.copy(sums.is_sound)

    return TrainStep(step, metrics_of)


def _gradient_functions(
    predictor: Any, loss_fun: LossFunction, mesh: Mesh | None, matmul_precision: str | None
) -> tuple[Callable[..., tuple[Any, Metrics, Counts]], Callable[..., Metrics]]:
    """Two functions of parameters, batch and epoch.

    The first gives gradients, metrics and what these are averages over, for all devices together.
    The second gives all metrics of a step, to learn their names and types: it takes no gradients,
    which would take long to trace.
    """
    # Compiled by itself only so that its trace is kept: both functions share it.
    predict = jax.jit(predictor.apply)

    def loss_of(params: Any, batch: jraph.GraphsTuple, epoch: Any) -> tuple[jax.Array, Metrics]:
        return loss_fun(predict(params, batch), batch, epoch)

    def gradients_of(params: Any, batch: jraph.GraphsTuple, epoch: Any) -> Any:
        with jax.default_matmul_precision(matmul_precision):
            gradients, metrics = jax.grad(loss_of, has_aux=True)(params, batch, epoch)
        if mesh is None:
            return gradients, metrics, count_batch(batch)
        return average_over_devices(gradients, metrics, count_batch(batch), mesh)

    def metrics_of(params: Any, batch: jraph.GraphsTuple, epoch: Any) -> Metrics:
        if mesh is not None:
            batch = jax.tree.map(lambda array: array[0], batch)
        return loss_of(params, batch, epoch)[1] | _norms(params, params)

    return gradients_of if mesh is None else on_each_device(gradients_of, mesh), metrics_of


def _is_sound(metrics: Metrics, loss_limit: Any) -> jax.Array:
    """Whether loss, gradients and updates are finite, and the loss is below its limit."""
    names = ("loss", "gradient_norm", "param_update_norm")
    are_finite = jnp.isfinite(jnp.stack([metrics[name] for name in names])).all()
    return are_finite & (metrics["loss"] <= loss_limit)


def _norms(gradients: Any, updates: Any) -> Metrics:
    return {
        "gradient_norm": jnp.linalg.norm(ravel_pytree(gradients)[0]),
        "param_update_norm": jnp.linalg.norm(ravel_pytree(updates)[0]),
    }


def _advance(
    state: TrainingState,
    updates: Any,
    optimizer_state: Any,
    ema_fun: EMAParameterTransformation,
    num_accumulated: int,
) -> TrainingState:
    params = optax.apply_updates(state.params, updates)
    acc_steps = (state.acc_steps + 1) % num_accumulated
    is_updated = acc_steps == 0
    ema_state = jax.tree.map(
        lambda new, old: jnp.where(is_updated, new, old),
        ema_fun.update(state.ema_state, params),
        state.ema_state,
    )
    return dataclasses.replace(
        state,
        params=params,
        optimizer_state=optimizer_state,
        ema_state=ema_state,
        num_steps=state.num_steps + is_updated.astype(jnp.int32),
        acc_steps=acc_steps,
    )


def _was_updated(state: TrainingState) -> jax.Array:
    return (state.acc_steps == 0).astype(jnp.int32)
