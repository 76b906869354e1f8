"""Structures that lack labels: they count for what they have, and for nothing else."""

from typing import Any

import jax
import jraph
import numpy as np
import pytest
from ase.build import bulk

from mlip_core.data.helpers import GraphDataset
from mlip_core.models.loss import HuberLoss, Loss, MSELoss
from mlip_core.training import TrainingIOHandler
from mlip_core.training.metric_sums import count_batch
from tests.data.structures import graph_of
from tests.training.tiny import make_dataset, make_force_field, make_loop

HAS = {
    "has_energy": [1, 0, 1, 1, 0, 1, 1],
    "has_forces": [1, 1, 0, 1, 0, 0, 1],
    "has_stress": [0, 1, 0, 1, 0, 0, 0],
}
"""By structure, in the order of the dataset; the last batch has no stress at all."""


def constant(weight: float) -> Any:
    return lambda _: weight


class Gappy:
    """Batches of structures of which some lack labels; the values there are zeros."""

    def __init__(self, batch_size: int, spoil: float = 0.0) -> None:
        self.dataset = make_dataset(7, batch_size, shuffle=False, with_stress=True)
        self.spoil = spoil

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Any:
        first = 0
        for i, batch in enumerate(self.dataset.epoch(number)):
            n_real = int(np.sum(np.asarray(batch.globals.weight) > 0))
            if i >= start_batch:
                yield self.remove_labels(batch, slice(first, first + n_real))
            first += n_real

    def remove_labels(self, batch: jraph.GraphsTuple, structures: slice) -> jraph.GraphsTuple:
        n_graphs = len(batch.n_node)
        has = {}
        for name, flags in HAS.items():
            chosen = np.array(flags[structures], np.float32)
            has[name] = np.concatenate([chosen, np.zeros(n_graphs - len(chosen), np.float32)])
        energy, stress = has["has_energy"], has["has_stress"][:, None, None]
        of_nodes = np.repeat(has["has_forces"], batch.n_node)[:, None]
        labels = batch.globals

        def cut(values: Any, known: Any) -> Any:
            return np.where(known > 0, values, np.float32(self.spoil))

        return batch._replace(
            nodes=batch.nodes._replace(forces=cut(batch.nodes.forces, of_nodes)),
            globals=labels._replace(
                energy=cut(labels.energy, energy),
                interaction_energy=cut(labels.interaction_energy, energy),
                stress=cut(labels.stress, stress),
                **has,
            ),
        )


def expected_errors() -> dict[str, float]:
    """Structure by structure in float64, over what is known."""
    force_field = make_force_field(predict_stress=True)
    deltas: dict[str, list[np.ndarray]] = {"e": [], "e_per_atom": [], "f": [], "stress": []}
    batches = make_dataset(7, 1, shuffle=False, with_stress=True).epoch(0)
    for i, batch in enumerate(batches):
        prediction, n_atoms = jax.device_get(force_field(batch)), int(batch.n_node[0])
        if HAS["has_energy"][i]:
            error = prediction.interaction_energy[:1] - batch.globals.interaction_energy[:1]
            deltas["e"].append(error)
            deltas["e_per_atom"].append(error / n_atoms)
        if HAS["has_forces"][i]:
            deltas["f"].append((prediction.forces - batch.nodes.forces)[:n_atoms].ravel())
        if HAS["has_stress"][i]:
            deltas["stress"].append((prediction.stress - batch.globals.stress)[0].ravel())
    joined = {name: np.concatenate(values).astype(float) for name, values in deltas.items()}
    return {f"mae_{name}": np.abs(x).mean() for name, x in joined.items()} | {
        f"mse_{name}": (x**2).mean() for name, x in joined.items()
    }


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_metrics_are_averages_over_what_is_known(batch_size: int) -> None:
    loss = MSELoss(stress_weight_schedule=constant(1.0), extended_metrics=True)
    loop = make_loop(
        num_epochs=0,
        loss=loss,
        force_field=make_force_field(predict_stress=True),
        loop_options={"run_eval_at_start": False},
    )
    metrics = loop.test(Gappy(batch_size))
    for name, value in expected_errors().items():
        np.testing.assert_allclose(metrics[name], value, rtol=5e-6, err_msg=name)


@pytest.mark.parametrize("loss_class", [MSELoss, HuberLoss])
def test_what_stands_where_a_label_is_missing_does_not_matter(loss_class: Any) -> None:
    loss = loss_class(stress_weight_schedule=constant(1.0))
    values, gradients = zip(
        *(loss_and_gradient(loss, Gappy(7, x)) for x in (0.0, 3.0)), strict=True
    )
    assert values[0] == values[1]
    jax.tree.map(np.testing.assert_array_equal, *gradients)


def test_each_term_is_that_of_the_structures_that_have_the_label() -> None:
    weights = {"has_energy": (1.0, 0, 0), "has_forces": (0, 1.0, 0), "has_stress": (0, 0, 1.0)}
    for name, terms in weights.items():
        loss = MSELoss(*map(constant, terms))
        found = loss_and_gradient(loss, Gappy(7))[0]
        alone = Gappy(1).dataset.epoch(0)
        singles = [loss_of(loss, batch) for batch in alone]
        expected = np.mean(np.multiply(singles, HAS[name]))
        np.testing.assert_allclose(found, expected, rtol=2e-6, err_msg=name)


def test_counts_are_those_of_labels() -> None:
    batches = list(Gappy(3).epoch(0))
    counts = [jax.device_get(count_batch(batch)) for batch in batches]
    n_atoms = [int(n) for batch in Gappy(1).dataset.epoch(0) for n in batch.n_node[:1]]
    assert sum(int(c.graphs) for c in counts) == 7
    assert sum(int(c.energies) for c in counts) == sum(HAS["has_energy"])
    assert sum(int(c.stresses) for c in counts) == sum(HAS["has_stress"])
    assert sum(int(c.forces) for c in counts) == int(np.dot(n_atoms, HAS["has_forces"]))
    assert sum(int(c.nodes) for c in counts) == sum(n_atoms)


def test_edges_are_counted_without_padding_and_filling() -> None:
    plain = make_dataset(7, 3, shuffle=False, edge_block_size=None)
    blocks = make_dataset(7, 3, shuffle=False, edge_block_size=4)
    n_edges = sum(len(graph.senders) for graph in plain.graphs)
    for dataset in (plain, blocks):
        assert sum(int(count_batch(batch).edges) for batch in dataset.epoch(0)) == n_edges


def test_edges_from_an_atom_to_its_own_images_count() -> None:
    graph = graph_of(bulk("Cu"), cutoff=2.6)
    batch = next(GraphDataset([graph], 1, edge_block_size=5).epoch(0))
    assert len(batch.senders) > len(graph.senders) == 12
    assert int(count_batch(batch).edges) == 12


def test_training_with_gaps_logs_no_metric_of_labels_that_nobody_has() -> None:
    class WithoutStress(Gappy):
        def epoch(self, number: int, start_batch: int = 0) -> Any:
            for batch in super().epoch(number, start_batch):
                none = np.zeros_like(batch.globals.has_stress)
                yield batch._replace(globals=batch.globals._replace(has_stress=none))

    loop = make_loop(
        num_epochs=1,
        loss=MSELoss(stress_weight_schedule=constant(1.0), extended_metrics=True),
        force_field=make_force_field(predict_stress=True),
        train_dataset=Gappy(3),
        validation_dataset=WithoutStress(3),
        io_handler=TrainingIOHandler(),
    )
    loop.run()
    last = loop.history.metrics[-1]
    assert np.isfinite([last["train_loss"], last["valid_rmse_f"]]).all()
    assert "valid_rmse_stress" not in last


def loss_of(loss: Loss, batch: jraph.GraphsTuple) -> float:
    return float(loss(make_force_field(predict_stress=True)(batch), batch, 1)[0])


def loss_and_gradient(loss: Loss, dataset: Any) -> tuple[float, Any]:
    force_field = make_force_field(predict_stress=True)
    batch = next(dataset.epoch(0))

    def of(params: Any) -> jax.Array:
        return loss(force_field.predictor.apply(params, batch), batch, 1)[0]

    value, gradient = jax.value_and_grad(of)(force_field.params)
    return float(value), gradient
