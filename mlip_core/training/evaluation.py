"""Errors of a model over a whole dataset."""

from collections.abc import Iterable
from typing import Any

import jax
import jraph
from jax.sharding import Mesh

from mlip_core.training.in_flight import InFlight
from mlip_core.training.metric_sums import Counts, MetricSums, count_batch, empty_sums
from mlip_core.training.parallel import average_over_devices, on_each_device
from mlip_core.training.training_step import LossFunction, Metrics


class EvaluationStep:
    """Adds metrics of a batch to their sums: ``(sums, params, batch, epoch) -> (sums, counts)``.

    Compiled, all on the device; it takes over the memory of ``sums``, which is ``None`` at first.
    """

    def __init__(
        self,
        predictor: Any,
        eval_loss_fun: LossFunction,
        mesh: Mesh | None = None,
        matmul_precision: str | None = None,
    ) -> None:
        """See ``make_evaluation_step``."""
        predict = jax.jit(predictor.apply)

        def metrics_of(params: Any, batch: jraph.GraphsTuple, epoch: Any) -> tuple[Metrics, Counts]:
            with jax.default_matmul_precision(matmul_precision):
                metrics = eval_loss_fun(predict(params, batch), batch, epoch, True)[1]
            if mesh is None:
                return metrics, count_batch(batch)
            return average_over_devices({}, metrics, count_batch(batch), mesh)[1:]

        self._metrics_fun = metrics_of if mesh is None else on_each_device(metrics_of, mesh)
        self._step = jax.jit(self._add, donate_argnums=0)

    def __call__(
        self, sums: MetricSums | None, params: Any, batch: jraph.GraphsTuple, epoch: Any
    ) -> tuple[MetricSums, Counts]:
        """Add one batch."""
        if sums is None:
            metrics, _ = jax.eval_shape(self._metrics_fun, params, batch, epoch)
            sums = empty_sums(metrics, like=params)
        return self._step(sums, params, batch, epoch)

    def _add(
        self, sums: MetricSums, params: Any, batch: jraph.GraphsTuple, epoch: Any
    ) -> tuple[MetricSums, Counts]:
        metrics, counts = self._metrics_fun(params, batch, epoch)
        return sums.add(metrics, counts), counts


def make_evaluation_step(
    predictor: Any,
    eval_loss_fun: LossFunction,
    mesh: Mesh | None = None,
    matmul_precision: str | None = None,
) -> EvaluationStep:
    """The step that ``run_evaluation`` needs.

    Args:
        predictor: gives ``predictor.apply(params, graph) -> Prediction``.
        eval_loss_fun: a ``Loss``; called with ``eval_metrics=True``.
        mesh: devices to share a step; batches then have a leading axis of that length.
        matmul_precision: of the factors of matrix products; see ``TrainingLoopConfig``.
    """
    return EvaluationStep(predictor, eval_loss_fun, mesh, matmul_precision)


def run_evaluation(
    evaluation_step: EvaluationStep, batches: Iterable[jraph.GraphsTuple], params: Any, epoch: Any
) -> dict[str, float]:
    """Metrics averaged over all structures (or atoms) of all batches; nothing if there are none."""
    sums: MetricSums | None = None
    in_flight = InFlight()
    for batch in batches:
        sums, counts = evaluation_step(sums, params, batch, epoch)
        in_flight.add(counts.graphs)
    return {} if sums is None else sums.averages()
