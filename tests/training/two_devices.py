"""A training on two host devices, compared with the same on one. To be run as a program."""

import os
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import jax
import numpy as np
import optax

from tests.training.tiny import make_dataset, make_loop


def main() -> None:
    assert len(jax.devices()) == 2
    # 13 structures: in the last step, the second device has none.
    small = make_dataset(13, 2, shuffle=False, max_n_node=6, max_n_edge=15)
    large = make_dataset(13, 4, shuffle=False, max_n_node=6, max_n_edge=15)
    common: dict[str, Any] = {"num_epochs": 3, "optimizer": optax.sgd(1e-3)}
    one = make_loop(train_dataset=large, **common)
    two = make_loop(train_dataset=small, should_parallelize=True, **common)
    assert two.mesh is not None
    assert two.mesh.size == 2
    one.run()
    two.run()
    assert int(two.training_state.num_steps) == int(one.training_state.num_steps) == 12
    for rows in zip(one.history.metrics, two.history.metrics, strict=True):
        assert rows[0].keys() == rows[1].keys()
        for name in rows[0]:
            np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=2e-5, err_msg=name)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7),
        one.training_state.params,
        two.training_state.params,
    )
    valid = make_dataset(5, 2, seed=1)
    found, expected = two.test(valid), one.test(valid)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, err_msg=name)


if __name__ == "__main__":
    main()
