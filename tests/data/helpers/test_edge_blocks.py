from typing import Any

import numpy as np
import pytest

from mlip_core.data.helpers.edge_blocks import (
    choose_block_size,
    count_block_slots,
    lay_out_in_blocks,
)

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
