"""Small helpers for arrays, trees and processes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.utils.dict_flatten import flatten_dict, unflatten_dict
from mlip_core.utils.jax_utils import TupleLeaf
from mlip_core.utils.multihost import (
    assert_pytrees_match,
    create_dp_sharding,
    create_replicated_sharding,
    only_specific_processes,
    sync_string,
)
from mlip_core.utils.no_pbc_cell import get_no_pbc_cell
from mlip_core.utils.safe_norm import safe_norm


def test_norm_and_its_derivative_at_zero():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_array_equal(safe_norm(x, axis=1), [5.0, 0.0])
    assert safe_norm(x, axis=1, keepdims=True).shape == (2, 1)
    gradient = jax.grad(lambda x: safe_norm(x, axis=1).sum())(x)
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0.0, 0.0]])


def test_cell_keeps_images_apart():
    positions = np.array([[0.0, 1.0, -5.0], [2.0, 1.0, 4.0]])
    cell, origin = get_no_pbc_cell(positions, 3.0)
    inside = (positions - origin) @ np.linalg.inv(cell)
    assert ((inside > 0) & (inside < 1)).all()
    extent = np.ptp(positions, axis=0)
    assert (np.diag(cell) - extent > 2 * 3.0).all()


def test_dictionaries():
    nested = {"a": {"b": 1, "c": {"d": 2}}}
    assert flatten_dict(nested, sep="#") == {"a#b": 1, "a#c#d": 2}
    assert unflatten_dict(flatten_dict(nested)) == nested


def test_tuple_leaf_is_one_leaf():
    assert jax.tree.leaves({"a": TupleLeaf((1, 2)), "b": (3, 4)}) == [(1, 2), 3, 4]


def test_one_process():
    assert only_specific_processes()(lambda: 1)() == 1
    assert only_specific_processes([1, 2])(lambda: 1)() is None
    assert sync_string("häus") == "häus"
    assert sync_string(None) == ""
    with pytest.raises(ValueError, match="at most 4096"):
        sync_string("x" * 5000)


def test_trees_that_differ():
    assert_pytrees_match({"a": np.ones(2)}, {"a": np.ones(2)})
    for other in ({"b": np.ones(2)}, {"a": np.zeros(2)}):
        with pytest.raises(AssertionError):
            assert_pytrees_match({"a": np.ones(2)}, other)


def test_shardings():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("data",))
    assert create_replicated_sharding(mesh).is_fully_replicated
    assert create_dp_sharding(mesh).spec == jax.sharding.PartitionSpec("data")
