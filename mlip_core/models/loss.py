"""Losses: what training minimises, and the metrics that go with it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np

from mlip_core.models.loss_helpers import (
    HUBER_DELTA,
    adaptive_huber_loss_forces,
    compute_eval_metrics,
    energy_error,
    huber_energy_errors,
    huber_loss_stress,
    mean_squared_error_forces,
    mean_squared_error_stress,
    safe_divide,
    squared_energy_errors,
)
from mlip_core.typing import Prediction
from mlip_core.utils.errors import UserError

Schedule = Callable[[Any], Any]
"""A weight as a function of the epoch (0 before training, 1 first), e.g. any Optax schedule."""


class Loss(ABC):
    """A loss with its metrics, both averaged over the real structures of one batch."""

    @abstractmethod
    def __call__(
        self,
        prediction: Prediction,
        ref_graph: jraph.GraphsTuple,
        epoch: int | jax.Array,
        eval_metrics: bool = False,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss and the metrics of one batch.

        Args:
            prediction: what the force field predicts for ``ref_graph``.
            ref_graph: the batch with its reference data.
            epoch: number of the epoch, for schedules.
            eval_metrics: whether to compute the errors of an evaluation too.
        """

    def weights(self, epoch: int | jax.Array) -> dict[str, Any]:
        """The weights of the terms in an epoch by name; a loss of one term has none."""
        del epoch
        return {}


class WeightedEFSLoss(Loss):
    """Sum of energy, forces and stress errors, each with a weight that may depend on the epoch.

    The loss of a structure is multiplied by its weight (``globals.weight``); the loss of the batch
    is the mean over its real structures, to which a label that is missing adds nothing. Energy
    errors are per atom; force and stress errors are means over components.
    """

    def __init__(
        self,
        energy_weight_schedule: Schedule = lambda _: 1.0,
        forces_weight_schedule: Schedule = lambda _: 25.0,
        stress_weight_schedule: Schedule = lambda _: 0.0,
        extended_metrics: bool = False,
    ) -> None:
        """Set the weights.

        Args:
            energy_weight_schedule: weight of the energy term; 1 by default.
            forces_weight_schedule: weight of the forces term; 25 by default.
            stress_weight_schedule: weight of the stress term; 0 by default.
            extended_metrics: whether to report the weights while training, and energies per atom
                and stress in evaluations.
        """
        self.energy_weight_schedule = energy_weight_schedule
        self.forces_weight_schedule = forces_weight_schedule
        self.stress_weight_schedule = stress_weight_schedule
        self.extended_metrics = extended_metrics

    @abstractmethod
    def energy_terms(self, graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
        """Loss of each structure, ``[n_graphs]``, from the energy errors ``delta`` (same shape)."""

    @abstractmethod
    def forces_terms(self, graph: jraph.GraphsTuple, forces: Any) -> jax.Array:
        """Loss of each structure, ``[n_graphs]``, from the forces, ``[n_nodes, 3]``."""

    @abstractmethod
    def stress_terms(self, graph: jraph.GraphsTuple, stress: Any) -> jax.Array:
        """Loss of each structure, ``[n_graphs]``, from the stress, ``[n_graphs, 3, 3]``."""

    def __call__(
        self,
        prediction: Prediction,
        ref_graph: jraph.GraphsTuple,
        epoch: int | jax.Array,
        eval_metrics: bool = False,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss and the metrics of one batch, averaged over its real structures.

        Metrics: ``loss``; with ``eval_metrics`` those of ``compute_eval_metrics`` (mean *squared*
        errors: the root is for whoever logs the average over the dataset); without it, if the
        metrics are extended, the weights.

        Raises:
            UserError: if the data or the prediction lack what has a weight.
        """
        weights = self.weights(epoch)
        loss = self._mean_loss(prediction, ref_graph, weights)
        metrics = {"loss": loss}
        if eval_metrics:
            metrics |= compute_eval_metrics(prediction, ref_graph, self.extended_metrics)
        elif self.extended_metrics:
            metrics |= {name: jnp.asarray(weight, loss.dtype) for name, weight in weights.items()}
        return loss, metrics

    def weights(self, epoch: int | jax.Array) -> dict[str, Any]:
        """``energy_weight``, ``forces_weight`` and ``stress_weight`` in an epoch."""
        return {
            "energy_weight": self.energy_weight_schedule(epoch),
            "forces_weight": self.forces_weight_schedule(epoch),
            "stress_weight": self.stress_weight_schedule(epoch),
        }

    def _mean_loss(
        self, prediction: Prediction, graph: jraph.GraphsTuple, weights: dict[str, Any]
    ) -> jax.Array:
        terms = weights["energy_weight"] * self.energy_terms(graph, energy_error(prediction, graph))
        forces, stress = prediction.forces, prediction.stress
        if _is_needed("forces", weights["forces_weight"], forces, graph.nodes.forces):
            terms += weights["forces_weight"] * self.forces_terms(graph, forces)
        if _is_needed("stress", weights["stress_weight"], stress, graph.globals.stress):
            terms += weights["stress_weight"] * self.stress_terms(graph, stress)
        return safe_divide(terms.sum(), jraph.get_graph_padding_mask(graph).sum())


class MSELoss(WeightedEFSLoss):
    """Weighted sum of the mean squared errors of energy per atom, force and stress components."""

    def energy_terms(self, graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
        """See ``squared_energy_errors``."""
        return squared_energy_errors(graph, delta)

    def forces_terms(self, graph: jraph.GraphsTuple, forces: Any) -> jax.Array:
        """See ``mean_squared_error_forces``."""
        return mean_squared_error_forces(graph, forces)

    def stress_terms(self, graph: jraph.GraphsTuple, stress: Any) -> jax.Array:
        """See ``mean_squared_error_stress``."""
        return mean_squared_error_stress(graph, stress)


class HuberLoss(WeightedEFSLoss):
    """Weighted sum of Huber losses: linear in large errors, hence robust against outliers."""

    def __init__(
        self,
        energy_weight_schedule: Schedule = lambda _: 1.0,
        forces_weight_schedule: Schedule = lambda _: 25.0,
        stress_weight_schedule: Schedule = lambda _: 0.0,
        extended_metrics: bool = False,
        energy_delta: float = HUBER_DELTA,
        forces_delta: float = HUBER_DELTA,
        stress_delta: float = HUBER_DELTA,
    ) -> None:
        """Set the weights, and where the loss turns linear.

        Args:
            energy_weight_schedule: as for every ``WeightedEFSLoss``.
            forces_weight_schedule: the same.
            stress_weight_schedule: the same.
            extended_metrics: the same.
            energy_delta: error of the energy from which on its loss is linear, eV/atom.
            forces_delta: the same of a force component, eV/Å; less under large forces.
            stress_delta: the same of a stress component, eV/Å³.
        """
        super().__init__(
            energy_weight_schedule,
            forces_weight_schedule,
            stress_weight_schedule,
            extended_metrics,
        )
        self.energy_delta = energy_delta
        self.forces_delta = forces_delta
        self.stress_delta = stress_delta

    def energy_terms(self, graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
        """See ``huber_energy_errors``."""
        return huber_energy_errors(graph, delta, self.energy_delta)

    def forces_terms(self, graph: jraph.GraphsTuple, forces: Any) -> jax.Array:
        """See ``adaptive_huber_loss_forces``."""
        return adaptive_huber_loss_forces(graph, forces, self.forces_delta)

    def stress_terms(self, graph: jraph.GraphsTuple, stress: Any) -> jax.Array:
        """See ``huber_loss_stress``."""
        return huber_loss_stress(graph, stress, self.stress_delta)


def _is_needed(name: str, weight: Any, predicted: Any, reference: Any) -> bool:
    """Whether a term enters the loss: not if its weight is known to be 0.

    A weight that depends on the epoch inside a compiled function is unknown here and counts as not
    0: better an error than a term that is silently left out.
    """
    if not isinstance(weight, jax.core.Tracer) and float(np.asarray(weight)) == 0.0:
        return False
    if reference is None:
        raise UserError(
            f"the loss weighs {name} but the data have no {name}: "
            f"name their key in the labels of the dataset, or set the {name} weight to 0"
        )
    if predicted is None:
        raise UserError(
            f"the loss weighs {name} but the force field does not predict {name}: "
            f"create it with predict_{name}=True, or set the {name} weight to 0"
        )
    return True
