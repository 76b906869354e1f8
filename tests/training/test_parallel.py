"""What devices that share a step have to tell one another."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from mlip_core.training.metric_sums import Counts
from mlip_core.training.parallel import DATA_AXIS, average_over_devices, on_each_device


def test_devices_wait_for_one_another_twice_in_a_step() -> None:
    """For what averages are taken over, and for all that is averaged, however many arrays it is."""
    mesh = Mesh(np.array(jax.devices()[:1]), (DATA_AXIS,))
    counts = Counts(**{name: jnp.int32(2) for name in Counts.__annotations__})

    def average(gradients, loss, _):
        return average_over_devices(gradients, {"loss": loss, "mae_energy": loss}, counts, mesh)

    step = jax.jit(on_each_device(average, mesh))
    arguments = {"a": jnp.arange(3.0), "b": jnp.ones((2, 2))}, jnp.full(1, 5.0), 0
    assert step.lower(*arguments).as_text().count("all_reduce") == 2
    gradients, metrics, total = step(*arguments)
    np.testing.assert_array_equal(gradients["a"], arguments[0]["a"])
    assert gradients["b"].shape == (2, 2)
    assert metrics == {"loss": 5, "mae_energy": 5}
    assert total == counts
