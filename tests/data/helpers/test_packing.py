import numpy as np
import pytest

from mlip_core.data.helpers.packing import Limits, pack_balanced, pack_in_order


def mixed_sizes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_node = rng.integers(5, 200, count)
    return n_node, n_node * rng.integers(8, 20, count)


@pytest.mark.parametrize(("count", "batch_size"), [(100, 16), (96, 16), (3, 16), (101, 1), (50, 7)])
def test_every_graph_once_within_capacity_in_equally_many_batches(
    count: int, batch_size: int
) -> None:
    n_node, n_edge = mixed_sizes(count)
    packing = pack_balanced(n_node, n_edge, batch_size, Limits())
    assert packing.n_batches == -(-count // batch_size)
    for epoch in range(20):
        batches = packing.batches(np.random.default_rng(epoch))
        assert len(batches) == packing.n_batches
        assert sorted(np.concatenate(batches)) == list(range(count))
        sizes = list(map(len, batches))
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= batch_size
        assert max(n_node[batch].sum() for batch in batches) <= packing.capacity.n_node
        assert max(n_edge[batch].sum() for batch in batches) <= packing.capacity.n_edge


def test_nearly_equal_sizes_are_mixed_freely() -> None:
    n_node = np.full(60, 9)
    n_edge = np.arange(60) % 5 + 70
    packing = pack_balanced(n_node, n_edge, 10, Limits())
    assert packing.capacity == Limits(90, 740)
    # Not one of each class per batch, as evened out batches would have.
    classes = [np.bincount(b % 5, minlength=5) for b in packing.batches(np.random.default_rng(0))]
    assert np.ptp(classes) > 1


def test_limits_lower_the_number_of_graphs_in_a_batch() -> None:
    n_node = np.full(40, 10)
    packing = pack_balanced(n_node, n_node, 8, Limits(n_node=55))
    assert packing.graphs_per_batch == 5
    assert packing.n_batches == 8


def test_too_large_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="larger"):
        pack_balanced(np.array([3, 9]), np.array([1, 1]), 2, Limits(n_node=8))


@pytest.mark.parametrize("count", [40, 43, 3])
def test_only_full_batches_leave_random_graphs_out(count: int) -> None:
    n_node, n_edge = mixed_sizes(count)
    packing = pack_balanced(n_node, n_edge, 8, Limits(), only_full_batches=True)
    used = set()
    for epoch in range(30):
        batches = packing.batches(np.random.default_rng(epoch))
        assert [len(batch) for batch in batches] == [8] * (count // 8)
        used.update(*map(np.ndarray.tolist, batches))
        for batch in batches:
            assert n_node[batch].sum() <= packing.capacity.n_node
            assert n_edge[batch].sum() <= packing.capacity.n_edge
    assert len(used) == (count if count >= 8 else 0)


def test_in_order_fills_until_something_does_not_fit() -> None:
    n_node = np.array([3, 4, 5, 6, 3, 4, 5])
    n_edge = np.array([2, 4, 16, 16, 6, 12, 10])
    by_number = pack_in_order(n_node, n_edge, 3, Limits())
    assert [batch.tolist() for batch in by_number] == [[0, 1, 2], [3, 4, 5], [6]]
    by_nodes = pack_in_order(n_node, n_edge, 3, Limits(n_node=9))
    assert [batch.tolist() for batch in by_nodes] == [[0, 1], [2], [3, 4], [5, 6]]
    by_edges = pack_in_order(n_node, n_edge, 3, Limits(n_edge=24))
    assert [batch.tolist() for batch in by_edges] == [[0, 1, 2], [3, 4], [5, 6]]


def test_nothing_to_pack() -> None:
    none = np.zeros(0, dtype=int)
    assert pack_in_order(none, none, 4, Limits()) == []
    assert pack_balanced(none, none, 4, Limits()).batches(np.random.default_rng(0)) == []


@pytest.mark.parametrize("batch_size", [4, 16])
def test_mixed_sizes_waste_little_and_meet_as_if_by_chance(batch_size: int) -> None:
    n_node, n_edge = mixed_sizes(1000)
    packing = pack_balanced(n_node, n_edge, batch_size, Limits())
    for sizes, room in ((n_node, packing.capacity.n_node), (n_edge, packing.capacity.n_edge)):
        assert sizes.sum() / (packing.n_batches * room) > 0.9
    pairs = [
        {
            (i, j)
            for batch in packing.batches(np.random.default_rng(epoch))
            for i in batch
            for j in batch
        }
        for epoch in range(2)
    ]
    n_pairs = len(pairs[0]) - 1000
    by_chance = n_pairs * (batch_size - 1) / 1000
    assert len(pairs[0] & pairs[1]) - 1000 < 1.5 * by_chance + 20


def test_a_giant_among_dwarfs_has_room() -> None:
    n_node = np.array([1000, *[3] * 30])
    packing = pack_balanced(n_node, n_node, 8, Limits())
    assert 1021 <= packing.capacity.n_node <= 1.04 * 1021
    for epoch in range(5):
        batches = packing.batches(np.random.default_rng(epoch))
        assert max(n_node[batch].sum() for batch in batches) <= packing.capacity.n_node
