"""Items share few bins out between them, and none is over-full."""

import numpy as np
import pytest

from mlip_core.inference.bin_packing import pack_bins


@pytest.mark.parametrize("n_items", [1, 2, 7, 500])
def test_no_bin_is_over_full(n_items: int) -> None:
    loads = np.random.default_rng(n_items).uniform(0.0, 1.0, (n_items, 3)) ** 3
    bins = pack_bins(loads)
    assert sorted(np.concatenate(bins).tolist()) == list(range(n_items))
    assert all((loads[items].sum(axis=0) <= 1 + 1e-9).all() for items in bins)
    assert len(bins) <= 1.2 * loads.sum(axis=0).max() + 2
