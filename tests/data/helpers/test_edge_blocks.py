from typing import Any

import numpy as np
import pytest

from mlip_core.data.helpers.edge_blocks import (
    PaddedEdges,
    SortedEdges,
    choose_block_size,
    count_block_slots,
    find_reverse_edges,
    pad_edges,
)
from mlip_core.data.helpers.neighborhood import both_directions, get_pairs

# Atom 0 has one neighbour, atom 1 none, atom 2 three.
BY_HAND = SortedEdges(
    senders=np.array([2, 0, 1, 2]),
    shifts=np.array([[1, 0, 0], [0, 0, 0], [0, 2, 0], [0, 0, 3]]),
    counts=np.array([1, 0, 3]),
    reverse=None,
)


def test_layout_by_hand() -> None:
    edges = pad_edges(BY_HAND, 4, 8, np.float64, size=2, max_runs=2)
    assert edges.senders.tolist() == [2, 0, 0, 1, 2, 2, 3, 3]
    assert edges.receivers.tolist() == [0, 0, 2, 2, 2, 2, 3, 3]
    shifts = [[1, 0, 0], [0] * 3, [0] * 3, [0, 2, 0], [0, 0, 3], [0] * 3, [0] * 3, [0] * 3]
    assert edges.shifts.tolist() == shifts
    assert edges.blocks is not None
    assert edges.blocks.runs.tolist() == [[0, 4], [4, 4], [1, 2], [3, 4]]
    assert edges.blocks.reverse is edges.blocks.pairs is None


def test_without_runs() -> None:
    edges = pad_edges(BY_HAND, 4, 6, np.float64)
    assert edges.senders.tolist() == [2, 0, 1, 2, 3, 3]
    assert edges.receivers.tolist() == [0, 2, 2, 2, 3, 3]
    assert edges.blocks is None


def test_dtypes() -> None:
    edges = pad_edges(BY_HAND, 4, 8, np.float32, size=2, max_runs=2)
    assert [array.dtype for array in edges[:3]] == [np.int32, np.int32, np.float32]


@pytest.mark.parametrize("size", [1, 3, 8, 50])
def test_runs_have_one_receiver_and_all_edges_survive(size: int) -> None:
    rng = np.random.default_rng(size)
    receivers = np.sort(rng.integers(0, 20, 300))
    counts = np.bincount(receivers, minlength=20)
    edges = SortedEdges(rng.integers(0, 20, 300), rng.integers(1, 5, (300, 3)), counts, None)
    n_slots = int(count_block_slots(counts, size).sum())
    laid = pad_edges(edges, 21, n_slots + size, np.float64, size, max_runs=50)
    runs = laid.receivers.reshape(-1, size)
    assert np.all(runs == runs[:, :1])
    assert np.all(laid.receivers[n_slots:] == 20)
    is_real = laid.shifts.any(axis=1)
    assert np.all(laid.senders[~is_real] == laid.receivers[~is_real])
    found = np.column_stack([laid.senders, laid.receivers, laid.shifts])[is_real]
    np.testing.assert_array_equal(found, np.column_stack([edges.senders, receivers, edges.shifts]))


def test_no_edges() -> None:
    none = SortedEdges(np.zeros(0, int), np.zeros((0, 3), int), np.zeros(5, int), np.zeros(0, int))
    edges = pad_edges(none, 6, 8, np.float32, size=8, max_runs=1)
    assert edges.senders.tolist() == edges.receivers.tolist() == [5] * 8
    assert edges.blocks is not None
    assert edges.blocks.runs.tolist() == [[1]] * 5 + [[0]]


@pytest.mark.parametrize("count", [1, 2, 8, 14, 28, 32, 60])
def test_equal_counts_are_one_run_without_filling(count: int) -> None:
    assert choose_block_size(np.bincount([count] * 10)) == count


def test_filling_is_weighed_against_the_number_of_runs() -> None:
    assert choose_block_size(np.bincount([3] * 99 + [30])) <= 4
    assert choose_block_size(np.bincount([27, 28, 29, 28])) == 29
    assert choose_block_size(np.bincount([200] * 5)) in (25, 64)


@pytest.mark.parametrize("histogram", [[], [2], [2, 0, 0]])
def test_without_edges_any_size_will_do(histogram: list[int]) -> None:
    assert choose_block_size(np.array(histogram, dtype=int)) == 1


def crystal_in_blocks(size: int) -> PaddedEdges:
    """Edges of a small triclinic cell, where atoms see their own images, and a padding run."""
    positions = np.array([[0.0, 0.0, 0.0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]])
    cell = np.array([[2.7, 0.1, 0.0], [0.6, 2.9, 0.2], [-0.4, 0.5, 3.1]])
    found = both_directions(get_pairs(positions, 3.0, (True, True, True), cell))
    counts = np.bincount(found.receivers)
    edges = SortedEdges(found.senders, found.shifts, counts, found.reverse)
    n_slots = int(count_block_slots(counts, size).sum())
    return pad_edges(edges, 4, n_slots + size, np.float64, size, max_runs=40)


@pytest.mark.parametrize("size", [1, 4, 30])
def test_reverse_edges_have_exchanged_ends_and_opposite_shifts(size: int) -> None:
    senders, receivers, shifts, blocks = crystal_in_blocks(size)
    assert blocks is not None
    np.testing.assert_array_equal(senders[blocks.reverse], receivers)
    np.testing.assert_array_equal(receivers[blocks.reverse], senders)
    np.testing.assert_array_equal(shifts[blocks.reverse], -shifts)
    own = np.arange(len(senders))
    np.testing.assert_array_equal(blocks.reverse[blocks.reverse], own)
    is_filling = (senders == receivers) & ~shifts.any(axis=1)
    np.testing.assert_array_equal(blocks.reverse == own, is_filling)


def test_both_edges_of_a_pair_share_its_number() -> None:
    *_, blocks = crystal_in_blocks(4)
    n_edges, n_pairs = len(blocks.reverse), len(blocks.pair_edges)
    real = np.flatnonzero(blocks.pair_edges < n_edges)
    firsts = blocks.pair_edges[real]
    np.testing.assert_array_equal(blocks.pairs[firsts], real)
    np.testing.assert_array_equal(blocks.pairs[blocks.reverse[firsts]], real)
    is_filling = blocks.reverse == np.arange(n_edges)
    assert 2 * len(real) == np.sum(~is_filling)
    assert np.all(blocks.pairs[is_filling] == n_pairs - 1)
    assert blocks.pair_edges[-1] == n_edges


@pytest.mark.parametrize("order", ["sorted", "random"])
def test_reverse_edges_are_found_by_search(order: str) -> None:
    positions = np.random.default_rng(1).uniform(0, 3, (5, 3))
    pairs = get_pairs(positions, 3.0, (True, True, False), np.diag([2.5, 3.0, 1.0]))
    edges = both_directions(pairs)
    if order == "random":
        chosen: Any = np.random.default_rng(2).permutation(len(edges.senders))
        edges = type(edges)(*(field[chosen] for field in edges))
    reverse = find_reverse_edges(edges.senders, edges.receivers, edges.shifts, 5)
    assert reverse is not None
    np.testing.assert_array_equal(edges.senders[reverse], edges.receivers)
    np.testing.assert_array_equal(edges.shifts[reverse], -edges.shifts)
    if order == "sorted":
        np.testing.assert_array_equal(reverse, edges.reverse)


def test_edges_without_a_reverse() -> None:
    senders, receivers = np.array([1, 1]), np.array([0, 0])
    assert find_reverse_edges(senders, receivers, np.zeros((2, 3)), 2) is None
