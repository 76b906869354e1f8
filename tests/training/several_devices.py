"""A training on several host devices, compared with the same on one: ``NUMBER_OF_DEVICES``."""

import os
import sys
from typing import Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[1]}"

import jax
import numpy as np
import optax

from mlip_core.training import TrainingLoop
from tests.training.tiny import make_dataset, make_loop

BATCH_SIZE = 4
SHAPES = {"shuffle": False, "max_n_node": 6, "max_n_edge": 15}


def compare(arguments: dict[str, Any], num_epochs: int) -> TrainingLoop:
    """Train on one device and on all; what comes out has to be the same but for rounding."""
    n_devices = len(jax.devices())
    # 13 structures: in the last step, some devices have none.
    whole = make_dataset(13, BATCH_SIZE, **SHAPES)
    shared = make_dataset(13, BATCH_SIZE // n_devices, **SHAPES)
    one = make_loop(num_epochs=num_epochs, train_dataset=whole, **arguments)
    many = make_loop(
        num_epochs=num_epochs, train_dataset=shared, should_parallelize=True, **arguments
    )
    assert many.mesh is not None
    assert many.mesh.size == n_devices
    one.run()
    many.run()
    assert len(one.history.metrics) == len(many.history.metrics)
    for rows in zip(one.history.metrics, many.history.metrics, strict=True):
        assert rows[0].keys() == rows[1].keys()
        for name in rows[0]:
            np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=5e-5, err_msg=name)
    assert one.best_epoch == many.best_epoch
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        one.training_state.params,
        many.training_state.params,
    )
    valid = make_dataset(5, 2, seed=1)
    found, expected = many.test(valid), one.test(valid)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=5e-5, err_msg=name)
    return many


def main() -> None:
    plain = compare({"optimizer": optax.sgd(1e-3)}, num_epochs=3)
    assert int(plain.training_state.num_steps) == 12
    diverging = compare(
        {
            "optimizer": optax.sgd(0.3),
            "loop_options": {"divergence": {"loss_ratio": 10.0, "factor": 0.02}},
        },
        num_epochs=4,
    )
    assert diverging._position.rollbacks == 1
    stopping = compare(
        {
            "optimizer": optax.sgd(1e-3),
            "loop_options": {
                "early_stopping": {"patience": 2, "min_improvement": 0.5},
                "swa_start_epoch": 1,
            },
        },
        num_epochs=9,
    )
    assert stopping._position.epoch == 2


if __name__ == "__main__":
    main()
