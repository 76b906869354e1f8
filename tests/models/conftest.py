"""Edges of a small graph, as batches have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.data.helpers.edge_blocks import SortedEdges, find_reverse_edges, pad_edges

N_NODES, SIZE = 7, 3


@pytest.fixture
def edges():
    """Both directions of random bonds between six nodes, laid out in runs; one node is padding."""
    rng = np.random.default_rng(0)
    bonds = np.array([(i, j) for i in range(6) for j in range(i) if rng.random() < 0.6])
    senders, receivers = np.concatenate([bonds, bonds[:, ::-1]]).T
    order = np.argsort(receivers, kind="stable")
    senders, receivers = senders[order], receivers[order]
    shifts = np.zeros((len(order), 3))
    counts = np.bincount(receivers, minlength=N_NODES - 1)
    reverse = find_reverse_edges(senders, receivers, shifts, N_NODES)
    n_slots = int(-(-counts // SIZE).sum()) * SIZE
    laid_out = pad_edges(
        SortedEdges(senders, shifts, counts, reverse), N_NODES, n_slots, np.float32, SIZE, 2
    )
    return jax.tree.map(jnp.asarray, (laid_out.senders, laid_out.receivers, laid_out.blocks))
