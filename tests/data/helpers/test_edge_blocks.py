from typing import Any

import numpy as np
import pytest

from mlip_core.data.helpers.edge_blocks import (
    choose_block_size,
    count_block_slots,
    index_blocks,
    lay_out_in_blocks,
)
from mlip_core.data.helpers.neighborhood import get_neighborhood

# Atom 0 has one neighbour, atom 1 none, atom 2 three.
SENDERS = np.array([2, 0, 1, 2], dtype=np.int32)
RECEIVERS = np.array([0, 2, 2, 2], dtype=np.int32)
SHIFTS = np.array([[1, 0, 0], [0, 0, 0], [0, 2, 0], [0, 0, 3]], dtype=np.int32)


def test_layout_by_hand() -> None:
    senders, receivers, shifts = lay_out_in_blocks(SENDERS, RECEIVERS, SHIFTS, 3, 2)
    assert senders.tolist() == [2, 0, 0, 1, 2, 2]
    assert receivers.tolist() == [0, 0, 2, 2, 2, 2]
    assert shifts.tolist() == [[1, 0, 0], [0] * 3, [0] * 3, [0, 2, 0], [0, 0, 3], [0] * 3]


def test_dtypes_are_kept() -> None:
    arrays = lay_out_in_blocks(SENDERS, RECEIVERS, SHIFTS.astype(np.float32), 3, 4)
    assert [array.dtype for array in arrays] == [np.int32, np.int32, np.float32]


@pytest.mark.parametrize("size", [1, 3, 8, 50])
def test_runs_have_one_receiver_and_all_edges_survive(size: int) -> None:
    rng = np.random.default_rng(size)
    receivers = np.sort(rng.integers(0, 20, 300))
    senders, shifts = rng.integers(0, 20, 300), rng.integers(1, 5, (300, 3))
    laid_senders, laid_receivers, laid_shifts = lay_out_in_blocks(
        senders, receivers, shifts, 20, size
    )
    runs = laid_receivers.reshape(-1, size)
    assert np.all(runs == runs[:, :1])
    assert len(laid_senders) == count_block_slots(np.bincount(receivers), size).sum()
    real = laid_shifts.any(axis=1)
    assert np.all(laid_senders[~real] == laid_receivers[~real])
    laid = np.column_stack([laid_senders, laid_receivers, laid_shifts])[real]
    np.testing.assert_array_equal(laid, np.column_stack([senders, receivers, shifts]))


def test_no_edges() -> None:
    none = np.zeros(0, dtype=np.int32)
    senders, receivers, shifts = lay_out_in_blocks(none, none, np.zeros((0, 3)), 5, 8)
    assert senders.shape == receivers.shape == (0,)
    assert shifts.shape == (0, 3)


def test_unsorted_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        lay_out_in_blocks(SENDERS, RECEIVERS[::-1], SHIFTS, 3, 2)


@pytest.mark.parametrize("count", [1, 2, 8, 14, 28, 32, 60])
def test_equal_counts_are_one_run_without_filling(count: int) -> None:
    assert choose_block_size(np.full(10, count)) == count


def test_filling_is_weighed_against_the_number_of_runs() -> None:
    assert choose_block_size(np.array([3] * 99 + [30])) <= 4
    assert choose_block_size(np.array([27, 28, 29, 28])) == 29
    assert choose_block_size(np.full(5, 200)) in (25, 64)


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_without_edges_any_size_will_do(counts: Any) -> None:
    assert choose_block_size(np.array(counts, dtype=int)) == 1


def crystal_in_blocks(size: int) -> tuple[np.ndarray, ...]:
    """Edges of a small triclinic cell, where atoms see their own images, and a padding run."""
    positions = np.array([[0.0, 0.0, 0.0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]])
    cell = np.array([[2.7, 0.1, 0.0], [0.6, 2.9, 0.2], [-0.4, 0.5, 3.1]])
    edges = get_neighborhood(positions, 3.0, (True, True, True), cell)
    senders, receivers, shifts = lay_out_in_blocks(*edges, 3, size)
    return (
        np.append(senders, [3] * size),
        np.append(receivers, [3] * size),
        np.append(shifts, np.zeros((size, 3), np.int32), axis=0),
    )


@pytest.mark.parametrize("size", [1, 4, 30])
def test_reverse_edges_have_exchanged_ends_and_opposite_shifts(size: int) -> None:
    senders, receivers, shifts = crystal_in_blocks(size)
    blocks = index_blocks(senders, receivers, shifts, 4, size, max_runs=40)
    np.testing.assert_array_equal(senders[blocks.reverse], receivers)
    np.testing.assert_array_equal(receivers[blocks.reverse], senders)
    np.testing.assert_array_equal(shifts[blocks.reverse], -shifts)
    own = np.arange(len(senders))
    np.testing.assert_array_equal(blocks.reverse[blocks.reverse], own)
    is_filling = (senders == receivers) & ~shifts.any(axis=1)
    np.testing.assert_array_equal(blocks.reverse == own, is_filling)


def test_both_edges_of_a_pair_share_its_number() -> None:
    senders, receivers, shifts = crystal_in_blocks(4)
    blocks = index_blocks(senders, receivers, shifts, 4, 4, max_runs=40)
    n_edges, n_pairs = len(senders), len(blocks.pair_edges)
    real = np.flatnonzero(blocks.pair_edges < n_edges)
    firsts = blocks.pair_edges[real]
    np.testing.assert_array_equal(blocks.pairs[firsts], real)
    np.testing.assert_array_equal(blocks.pairs[blocks.reverse[firsts]], real)
    is_filling = blocks.reverse == np.arange(n_edges)
    assert 2 * len(real) == np.sum(~is_filling)
    assert np.all(blocks.pairs[is_filling] == n_pairs - 1)
    assert blocks.pair_edges[-1] == n_edges


def test_runs_of_each_node() -> None:
    receivers = np.repeat([0, 0, 2, 3, 3, 3], 2)
    blocks = index_blocks(receivers, receivers, np.zeros((12, 3)), 4, 2, max_runs=2)
    assert blocks.runs.tolist() == [[0, 1], [6, 6], [2, 6], [3, 4]]


def test_edges_without_a_reverse_are_described_by_their_runs_alone() -> None:
    senders, receivers = np.array([1, 1]), np.array([0, 0])
    blocks = index_blocks(senders, receivers, np.zeros((2, 3)), 2, 2, max_runs=1)
    assert blocks.reverse is None
    assert blocks.pairs is None
    assert blocks.runs.tolist() == [[0], [1]]
