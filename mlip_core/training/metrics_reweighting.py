"""Metrics of batches of different sizes whose plain mean is that over the dataset."""

import jax
import jraph


def reweight_metrics_by_number_of_graphs(
    metrics: dict[str, jax.Array], batch: jraph.GraphsTuple, avg_n_graphs_per_batch: float
) -> dict[str, jax.Array]:
    """Scale the metrics of a batch so that their plain mean over batches is that over structures.

    Each is multiplied by the number of real graphs over its average, except weights of the loss
    (names with "weight"). The loop itself uses ``MetricSums``: the same for averages over
    structures, but it needs no average known in advance and is exact for averages over atoms too.
    """
    factor = jraph.get_graph_padding_mask(batch).sum() / avg_n_graphs_per_batch
    return {name: value if "weight" in name else value * factor for name, value in metrics.items()}
