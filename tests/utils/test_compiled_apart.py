import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from mlip_core.utils.compiled_apart import compiled_apart, for_any_backend


@functools.partial(compiled_apart, num_static=1)
def _scaled_sum(scale, x, y):
    return scale * x + y


def _program(x, y):
    return (_scaled_sum(3, x, y) - 1).reshape(-1)


def test_values_inside_and_outside_of_compiled_programs():
    x, y = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    np.testing.assert_array_equal(_program(x, y), (3 * x).ravel())
    np.testing.assert_array_equal(jax.jit(_program)(x, y), (3 * x).ravel())
    batched = jax.vmap(_program, in_axes=(0, None))(x, y[0])
    np.testing.assert_array_equal(batched, 3 * x)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other backends may inline the call")
def test_the_cpu_backend_keeps_the_call():
    x = jnp.ones((2, 3))
    compiled = jax.jit(_program).lower(x, x).compile().as_text()
    entry = compiled[compiled.index("ENTRY") :]
    assert " call(" in entry


def test_exported_programs_leave_it_to_their_backend():
    x = jnp.ones((2, 3))
    with for_any_backend():
        untraced = jax.jit(lambda x, y: _program(x, y))
        program = export.export(untraced, platforms=("cpu", "cuda"))(x, x)
    assert "inlineable" not in program.mlir_module()
