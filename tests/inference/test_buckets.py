"""Few shapes, and little padding, whatever the stream brings."""

from collections.abc import Sequence

import numpy as np

from mlip_core.data.helpers.graph_creation import Structure, make_segment
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.inference.buckets import Bucket, Buckets

CUTOFF = 3.0


def store(sizes: Sequence[int], density: float = 0.03, seed: int = 0) -> GraphStore:
    """Structures of random atoms in periodic boxes, ``density`` of them per Å³."""
    rng = np.random.default_rng(seed)
    structures = []
    for size in sizes:
        edge = (size / density) ** (1 / 3)
        structures.append(
            Structure(
                np.ones(size, int),
                rng.uniform(0, edge, (size, 3)),
                edge * np.eye(3),
                (True, True, True),
                *(1.0, None, None, None),
            )
        )
    return GraphStore.from_segments([make_segment(structures, CUTOFF, ())])


def share_used(windows: Sequence[GraphStore], buckets: Buckets) -> float:
    """Cost of the structures themselves over that of all batches, once everything is packed."""
    used = total = 0.0
    for window in windows:
        bucket, batches = buckets.pack(window)
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(window)))
        total += bucket.cost * len(batches)
        # Runs of edges are filled up in any shape; that is no fault of the packing.
        own = Bucket.made_for(window, 32, np.full(3, np.inf), 1.0)
        used += own.cost * -(-len(window) // 32) / 1.04
    return used / total


def test_equal_structures_fill_one_shape() -> None:
    buckets = Buckets(32)
    windows = [store([15] * 1024, seed=seed) for seed in range(3)] + [store([15] * 200, seed=9)]
    assert share_used(windows, buckets) > 0.9
    assert len(buckets.buckets) == 1


def test_mixed_sizes_fill_few_shapes() -> None:
    rng = np.random.default_rng(0)
    windows = [store(rng.integers(5, 200, 500).tolist(), seed=seed) for seed in range(4)]
    buckets = Buckets(32)
    assert share_used(windows, buckets) > 0.85
    assert len(buckets.buckets) == 1


def test_molecules_and_crystals_together_fill_few_shapes() -> None:
    """Structures with few and with many neighbours: some use up the nodes, others the edges."""
    molecules = store([9] * 400, density=0.01, seed=1)
    crystals = store([60] * 100, density=0.08, seed=2)
    mixed = GraphStore.from_segments([*molecules.segments, *crystals.segments])
    windows = [mixed.take(np.random.default_rng(i).permutation(500)) for i in range(3)]
    buckets = Buckets(32)
    assert share_used(windows, buckets) > 0.8
    assert len(buckets.buckets) == 1


def test_a_stream_that_changes_gets_another_shape_once_it_pays() -> None:
    buckets = Buckets(32)
    buckets.pack(store([150] * 320, density=0.08))
    windows = [store([5] * 1024, density=0.01, seed=seed) for seed in range(8)]
    buckets.pack(windows[0])
    assert len(buckets.buckets) == 1
    for window in windows[1:4]:
        buckets.pack(window)
    assert share_used(windows[4:], buckets) > 0.8
    assert len(buckets.buckets) == 2


def test_a_giant_gets_a_shape_of_its_own() -> None:
    buckets = Buckets(8)
    buckets.pack(store([10] * 256))
    with_giant = store([10] * 255 + [2000], seed=1)
    bucket, batches = buckets.pack(with_giant)
    assert len(buckets.buckets) == 2
    assert bucket.shape.n_node > 2000
    # It is not alone with its padding.
    assert len(batches) <= 3


def test_more_neighbors_than_any_shape_has_room_for() -> None:
    buckets = Buckets(8)
    thin, _ = buckets.pack(store([10] * 64, density=0.005))
    dense, _ = buckets.pack(store([10] * 64, density=0.3))
    assert dense.max_runs * dense.block_size > thin.max_runs * thin.block_size


def test_limits_are_kept() -> None:
    window = store([10] * 300)
    bucket, batches = Buckets(32, max_n_node=5, max_n_edge=1000).pack(window)
    assert bucket.capacity[0] == 160
    assert max(window.n_node[rows].sum() for rows in batches) <= 160
