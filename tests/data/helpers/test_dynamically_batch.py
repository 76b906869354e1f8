import jax
import jraph
import numpy as np
import pytest

from mlip_core.data.helpers.dynamically_batch import dynamically_batch
from tests.data.structures import ethanol, graph_of, water


def graphs() -> list[jraph.GraphsTuple]:
    makers = [water, ethanol, water, water, ethanol]
    return [graph_of(make(seed), energy=float(seed)) for seed, make in enumerate(makers)]


def test_batches_are_full_padded_and_in_order() -> None:
    batches = list(dynamically_batch(iter(graphs()), n_node=14, n_edge=120, n_graph=4))
    assert [batch.n_node.tolist() for batch in batches] == [
        [3, 9, 2, 0],
        [3, 3, 8, 0],
        [9, 5, 0, 0],
    ]
    for batch in batches:
        assert batch.n_edge.sum() == len(batch.senders) == 120
    real = [g for batch in batches for g in jraph.unbatch_np(jraph.unpad_with_graphs(batch))]
    for one, other in zip(real, graphs(), strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_number_of_graphs_is_a_limit_too() -> None:
    sizes = [b.n_node.tolist() for b in dynamically_batch(iter(graphs()), 100, 500, 2)]
    assert sizes == [[3, 97], [9, 91], [3, 97], [3, 97], [9, 91]]


def test_last_batch_can_be_skipped_and_padding_replaced() -> None:
    batches = list(
        dynamically_batch(iter(graphs()), 14, 120, 4, pad_fn=lambda b: b, skip_last_batch=True)
    )
    assert [batch.n_node.tolist() for batch in batches] == [[3, 9], [3, 3]]


def test_too_large_a_graph() -> None:
    with pytest.raises(RuntimeError, match="9 nodes"):
        list(dynamically_batch(iter(graphs()), 9, 120, 4))
    with pytest.raises(ValueError, match="padding graph"):
        next(dynamically_batch(iter(graphs()), 9, 120, 1))
