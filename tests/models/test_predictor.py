"""A batch is as good as its structures one by one."""

import jax.numpy as jnp
import numpy as np

from mlip_core.models.predictor import _sum_by_graph


def test_sums_by_graph():
    values = jnp.arange(10.0).reshape(5, 2)
    sums = _sum_by_graph(values, jnp.array([2, 0, 3]))
    np.testing.assert_array_equal(sums, [[2, 4], [0, 0], [18, 21]])


def test_a_structure_that_is_not_a_number_leaves_the_others_alone():
    values = jnp.array([1.0, jnp.nan, 2.0, jnp.inf, 3.0])
    sums = _sum_by_graph(values, jnp.array([1, 1, 1, 1, 1]))
    np.testing.assert_array_equal(sums, values)
