import logging
from typing import Any

import jraph
import numpy as np
import pytest

from mlip_core.data.helpers import GraphDataset
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.graph_dataset import GraphsDiscardedError
from tests.data.structures import copper, ethanol, graph_of, water


def mixed_graphs() -> list[jraph.GraphsTuple]:
    """Molecules of 3 and 9 atoms and periodic cells of 8, with recognisable labels."""
    makers = [ethanol, water, copper, ethanol, water, copper, ethanol]
    return [
        graph_of(
            make(seed),
            energy=-100.0 * seed - 0.123456789,
            forces=np.full((len(make(seed)), 3), float(seed)),
            weight=1.0 + seed,
        )
        for seed, make in enumerate(makers)
    ]


def ethanols(count: int) -> list[jraph.GraphsTuple]:
    return [graph_of(ethanol(seed), energy=-1.0 * seed) for seed in range(count)]


def unbatched(batch: jraph.GraphsTuple) -> list[tuple[int, slice, set[tuple[int, ...]]]]:
    """The real graphs of a batch with their edges as a set of (sender, receiver, shift)."""
    result = []
    node_end, edge_end = np.cumsum(batch.n_node), np.cumsum(batch.n_edge)
    for i in range(int(jraph.get_graph_padding_mask(batch).sum())):
        nodes = slice(node_end[i] - batch.n_node[i], node_end[i])
        edges = slice(edge_end[i] - batch.n_edge[i], edge_end[i])
        ends = np.column_stack([batch.senders[edges], batch.receivers[edges]]) - nodes.start
        shifts = batch.edges.shifts[edges]
        real = (ends[:, 0] != ends[:, 1]) | shifts.any(axis=1)
        rows = np.column_stack([ends, shifts])[real].astype(int).tolist()
        assert len(rows) == len(set(map(tuple, rows)))
        result.append((i, nodes, set(map(tuple, rows))))
    return result


def edges_of(graph: jraph.GraphsTuple) -> set[tuple[int, ...]]:
    rows = np.column_stack([graph.senders, graph.receivers, graph.edges.shifts])
    return set(map(tuple, rows.astype(int).tolist()))


@pytest.mark.parametrize("edge_block_size", ["auto", 4, 7, None])
@pytest.mark.parametrize("should_shuffle", [True, False])
def test_batches_hold_the_graphs(edge_block_size: Any, should_shuffle: bool) -> None:
    graphs = mixed_graphs()
    dataset = GraphDataset(
        graphs,
        3,
        should_shuffle=should_shuffle,
        edge_block_size=edge_block_size,
        dtype=np.float64,
    )
    seen = []
    for batch, rows in zip(dataset.epoch(0), dataset.epoch_rows(0), strict=True):
        for (i, nodes, edges), row in zip(unbatched(batch), rows, strict=True):
            graph = graphs[row]
            np.testing.assert_array_equal(batch.nodes.positions[nodes], graph.nodes.positions)
            np.testing.assert_array_equal(batch.nodes.species[nodes], graph.nodes.species)
            np.testing.assert_array_equal(batch.nodes.forces[nodes], graph.nodes.forces)
            np.testing.assert_array_equal(batch.globals.cell[i], graph.globals.cell[0])
            assert batch.globals.energy[i] == graph.globals.energy[0]
            assert batch.globals.weight[i] == graph.globals.weight[0]
            assert edges == edges_of(graph)
            seen.append(row)
    assert sorted(seen) == list(range(7))
    if not should_shuffle:
        assert seen == sorted(seen)


def test_all_batches_have_one_shape_and_end_in_padding() -> None:
    dataset = GraphDataset(mixed_graphs(), 3)
    shape = dataset.shape
    for epoch in range(3):
        for batch in dataset.epoch(epoch):
            assert batch.nodes.positions.shape == (shape.n_node, 3)
            assert batch.senders.shape == batch.receivers.shape == (shape.n_edge,)
            assert batch.n_node.shape == batch.n_edge.shape == (shape.n_graph,) == (4,)
            assert batch.n_node.sum() == shape.n_node
            assert batch.n_edge.sum() == shape.n_edge
            n_real = int(jraph.get_graph_padding_mask(batch).sum())
            assert 1 <= n_real <= 3
            assert batch.n_node[n_real] >= 1
            assert not batch.globals.weight[n_real:].any()
            padding = slice(int(batch.n_edge[:n_real].sum()), None)
            assert set(batch.senders[padding]) <= {shape.n_node - 1}
            assert set(batch.receivers[padding]) <= {shape.n_node - 1}


def test_single_precision_by_default() -> None:
    batch = next(iter(GraphDataset(mixed_graphs(), 3)))
    floats = (batch.nodes.positions, batch.nodes.forces, batch.edges.shifts, batch.globals.cell)
    floats += (batch.globals.energy, batch.globals.weight)
    assert {array.dtype for array in floats} == {np.dtype(np.float32)}
    integers = (batch.nodes.species, batch.senders, batch.receivers, batch.n_node, batch.n_edge)
    assert {array.dtype for array in integers} == {np.dtype(np.int32)}


def test_runs_of_edges_have_one_receiver_and_zero_length_fillings() -> None:
    dataset = GraphDataset(mixed_graphs(), 3, edge_block_size=5)
    for batch in dataset:
        assert batch.edges.blocks.size == 5
        runs = batch.receivers.reshape(-1, 5)
        assert np.all(runs == runs[:, :1])
        assert np.all(np.diff(batch.receivers) >= 0)
        vectors = get_edge_relative_vectors(
            batch.nodes.positions,
            batch.senders,
            batch.receivers,
            batch.edges.shifts,
            batch.globals.cell,
            batch.n_edge,
            use_np=True,
        )
        lengths = np.linalg.norm(vectors, axis=1)
        itself = (batch.senders == batch.receivers) & ~batch.edges.shifts.any(axis=1)
        assert np.all(lengths[itself] == 0)
        assert np.all(lengths[~itself] > 0.5)
        assert np.all(lengths[~itself] < 3.0)


def test_equal_molecules_need_no_padding_edges() -> None:
    dataset = GraphDataset([graph_of(ethanol(s), cutoff=10.0) for s in range(12)], 4)
    assert dataset.shape.n_node == 4 * 9 + 1
    assert dataset.shape.n_edge == 4 * 9 * 8
    assert next(iter(dataset)).edges.blocks.size == 8


def test_interaction_energy_is_subtracted_in_double_precision() -> None:
    atomic_energies = np.array([-13.6, -1030.1, -2042.3, -45000.7])
    graphs = [
        graph_of(atoms, energy=atomic_energies[graph_of(atoms).nodes.species].sum() + 1e-3 * seed)
        for seed, atoms in enumerate([ethanol(0), copper(1), water(2)])
    ]
    dataset = GraphDataset(graphs, 3, should_shuffle=False, atomic_energies=atomic_energies)
    batch = next(iter(dataset))
    expected = [0, 1e-3, 2e-3, 0]
    np.testing.assert_allclose(batch.globals.interaction_energy, expected, rtol=0, atol=1e-9)
    # Neighbouring single-precision numbers are farther apart than what is to be learned.
    assert np.spacing(np.abs(batch.globals.energy[1])) > 1e-2


def test_no_atomic_energies_no_interaction_energy() -> None:
    assert next(iter(GraphDataset(ethanols(2), 2))).globals.interaction_energy is None


def test_missing_labels_are_absent() -> None:
    batch = next(iter(GraphDataset([graph_of(water(0))], 1)))
    assert batch.nodes.forces is None
    assert batch.globals.energy is None
    assert batch.globals.stress is None


def test_labels_that_only_some_graphs_have_are_masked() -> None:
    graphs = [graph_of(water(0), energy=1.0), graph_of(water(1), forces=np.ones((3, 3)))]
    (batch,) = GraphDataset(graphs, 2, should_shuffle=False)
    assert batch.globals.energy.tolist() == [1, 0, 0]
    assert batch.globals.has_energy.tolist() == [1, 0, 0]
    assert batch.globals.has_forces.tolist() == [0, 1, 0]
    assert batch.globals.has_stress is batch.globals.stress is None
    assert batch.nodes.forces.tolist() == [[0] * 3] * 3 + [[1] * 3] * 3 + [[0] * 3]


def test_stress_is_batched() -> None:
    stress = np.arange(9.0).reshape(3, 3)
    batch = next(iter(GraphDataset([graph_of(copper(0), stress=stress)], 1)))
    np.testing.assert_array_equal(batch.globals.stress, [stress, np.zeros((3, 3))])


def test_epochs_differ_but_depend_on_nothing_else() -> None:
    one, other = (GraphDataset(ethanols(20), 4, seed=7) for _ in range(2))
    list(one)
    orders = [np.concatenate(one.epoch_rows(epoch)).tolist() for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert orders == [np.concatenate(other.epoch_rows(epoch)).tolist() for epoch in range(3)]
    assert orders[0] != np.concatenate(GraphDataset(ethanols(20), 4, seed=8).epoch_rows(0)).tolist()


def test_iteration_gives_one_epoch_after_the_other() -> None:
    dataset = GraphDataset(ethanols(10), 2, seed=1)
    for epoch in range(3):
        for batch, expected in zip(dataset, dataset.epoch(epoch), strict=True):
            np.testing.assert_array_equal(batch.globals.energy, expected.globals.energy)


def test_order_may_be_the_same_in_all_epochs() -> None:
    dataset = GraphDataset(ethanols(10), 2, should_shuffle_between_epochs=False)
    first, second = (np.concatenate(dataset.epoch_rows(e)).tolist() for e in (0, 1))
    assert first == second != sorted(first)


def test_epoch_from_a_later_batch() -> None:
    dataset = GraphDataset(ethanols(10), 2)
    whole = [batch.globals.energy.tolist() for batch in dataset.epoch(3)]
    assert [batch.globals.energy.tolist() for batch in dataset.epoch(3, 2)] == whole[2:]


def test_length_is_that_of_every_epoch() -> None:
    dataset = GraphDataset(mixed_graphs(), 3)
    assert [len(list(dataset)) for _ in range(5)] == [len(dataset)] * 5 == [3] * 5
    assert dataset.avg_n_graphs_per_batch == 7 / 3


def test_graphs_are_plain_and_in_double_precision() -> None:
    originals = mixed_graphs()
    dataset = GraphDataset(originals, 3)
    assert dataset.num_graphs == len(dataset.graphs) == 7
    for graph, original in zip(dataset.graphs, originals, strict=True):
        assert graph.edges.blocks is None
        assert graph.nodes.positions.dtype == np.float64
        np.testing.assert_array_equal(graph.nodes.positions, original.nodes.positions)
        np.testing.assert_array_equal(graph.senders, original.senders)
        np.testing.assert_array_equal(graph.globals.energy, original.globals.energy)


@pytest.mark.parametrize(
    ("which", "expected"),
    [(slice(1, 3), [1, 2]), (3, [0, 1, 2]), ([0, 5], [0, 5]), (0.5, [0, 1, 2])],
)
def test_subset_has_batches_of_the_same_shape(which: Any, expected: list[int]) -> None:
    dataset = GraphDataset(mixed_graphs(), 3, should_shuffle=False)
    list(dataset)
    dataset.graphs  # noqa: B018  # fills the cache that a subset must not inherit
    subset = dataset.subset(which)
    assert subset.shape == dataset.shape
    energies = [float(graph.globals.energy[0]) for graph in subset.graphs]
    assert energies == [float(dataset.graphs[i].globals.energy[0]) for i in expected]
    batched = np.concatenate([b.globals.energy[b.globals.weight > 0] for b in subset])
    np.testing.assert_allclose(batched, energies, rtol=1e-6)
    assert dataset.num_graphs == 7


def test_limits_count_pairs_of_atoms() -> None:
    graphs = ethanols(6)
    n_edge = max(int(graph.n_edge[0]) for graph in graphs)
    dataset = GraphDataset(graphs, 2, max_n_node=10, max_n_edge=n_edge // 2, edge_block_size=None)
    assert dataset.shape.n_node == 21
    assert dataset.shape.n_edge == 2 * (n_edge // 2 * 2)
    assert dataset.num_graphs == 6


def test_runs_get_room_beside_the_limit_of_edges() -> None:
    graphs = ethanols(6)
    n_edge = max(int(graph.n_edge[0]) for graph in graphs)
    dataset = GraphDataset(graphs, 1, max_n_edge=-(-n_edge // 2), edge_block_size=16)
    assert dataset.num_graphs == 6
    assert len(list(dataset)) == 6


def test_graphs_that_do_not_fit_are_discarded_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    graphs = mixed_graphs()
    with caplog.at_level(logging.WARNING):
        dataset = GraphDataset(graphs, 2, max_n_node=4)
    assert "3 of 7 graphs" in caplog.text
    assert dataset.num_graphs == 4
    with pytest.raises(GraphsDiscardedError, match="3 of 7 graphs"):
        GraphDataset(graphs, 2, max_n_node=4, raise_exc_if_graphs_discarded=True)


@pytest.mark.parametrize("should_shuffle", [True, False])
def test_last_batch_can_be_skipped(should_shuffle: bool) -> None:
    dataset = GraphDataset(ethanols(7), 3, should_shuffle=should_shuffle, skip_last_batch=True)
    assert len(dataset) == 2
    assert [int((b.globals.weight > 0).sum()) for b in dataset] == [3, 3]


def test_isolated_atoms_and_empty_neighbourhoods() -> None:
    lone = water(0)[[0]]
    apart = water(0)
    apart.positions[1] += 100
    dataset = GraphDataset([graph_of(lone), graph_of(apart), graph_of(water(0))], 3)
    batch = next(iter(dataset))
    assert int(jraph.get_graph_padding_mask(batch).sum()) == 3
    assert sorted(len(edges) for _, _, edges in unbatched(batch)) == [0, 2, 6]


def test_only_isolated_atoms() -> None:
    dataset = GraphDataset([graph_of(water(0)[[0]]) for _ in range(3)], 2)
    for batch in dataset:
        assert batch.senders.shape == (1,)
        assert batch.n_edge.sum() == 1


def test_empty_dataset() -> None:
    dataset = GraphDataset([], 4)
    assert len(dataset) == 0
    assert list(dataset) == []
    assert dataset.avg_n_graphs_per_batch == 0


def test_padding_batch_has_no_real_graph() -> None:
    batch = GraphDataset(ethanols(4), 2).padding_batch()
    assert int(jraph.get_graph_padding_mask(batch).sum()) == 0
    assert batch.n_node[0] == batch.n_node.sum() == len(batch.nodes.positions)


def test_batch_size_must_be_positive() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        GraphDataset(ethanols(2), 0)
