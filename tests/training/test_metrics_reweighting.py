"""Averages over a dataset as plain means of reweighted averages over batches."""

import jax.numpy as jnp
import numpy as np

from mlip_core.training.metric_sums import count_batch
from mlip_core.training.metrics_reweighting import reweight_metrics_by_number_of_graphs
from tests.training.tiny import make_dataset


def test_reweighted_metrics_average_to_those_over_structures() -> None:
    batches = list(make_dataset(14, 4).epoch(0))
    n_graphs = np.array([int(count_batch(batch).graphs) for batch in batches])
    values = np.arange(1.0, len(batches) + 1)
    reweighted = [
        reweight_metrics_by_number_of_graphs(
            {"mae_e": jnp.float32(value), "energy_weight": jnp.float32(25)}, batch, n_graphs.mean()
        )
        for value, batch in zip(values, batches, strict=True)
    ]
    mean = np.mean([metrics["mae_e"] for metrics in reweighted])
    np.testing.assert_allclose(mean, np.average(values, weights=n_graphs), rtol=1e-6)
    assert all(metrics["energy_weight"] == 25 for metrics in reweighted)
