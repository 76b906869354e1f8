"""A training that diverges goes back to its best epoch with a smaller learning rate."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from mlip_core.training import LogCategory, TrainingIOHandler
from mlip_core.utils.errors import UserError
from tests.training.tiny import make_dataset, make_loop

TOO_LARGE = 0.1
"""A learning rate at which the training explodes and at half of which it does not."""


def explosive(learning_rate: float, **arguments: Any) -> Any:
    options = {"divergence": {"loss_ratio": 100.0} | arguments.pop("divergence", {})}
    return make_loop(
        num_epochs=6, optimizer=optax.sgd(learning_rate), loop_options=options, **arguments
    )


def test_explosion_is_undone_with_a_smaller_learning_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logged: list[tuple[LogCategory, int]] = []
    handler = TrainingIOHandler()
    handler.attach_logger(lambda category, _, epoch: logged.append((category, epoch)))
    loop = explosive(TOO_LARGE, io_handler=handler)
    loop.run()
    assert "diverged in epoch 2" in caplog.text
    assert "going on from epoch 0 with 0.5 times the learning rate" in caplog.text
    assert (LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, 0) in logged
    assert [row["epoch"] for row in loop.history.metrics] == list(range(7))
    assert [row["epoch"] for row in loop.history.timing] == list(range(1, 7))
    smaller = explosive(TOO_LARGE / 2)
    smaller.run()
    assert loop.history.metrics == smaller.history.metrics
    jax.tree.map(
        np.testing.assert_array_equal, loop.training_state.params, smaller.training_state.params
    )


def test_number_of_returns_is_bounded_and_the_best_model_stays(tmp_path: Path) -> None:
    good = make_loop(tmp_path, num_epochs=2)
    good.run()
    loop = make_loop(tmp_path, num_epochs=4, train_dataset=Poisoned(epoch=3))
    with pytest.raises(UserError, match=r"diverged in epoch 3: .* also after going back 3 times"):
        loop.run()
    assert loop.best_epoch == good.best_epoch
    jax.tree.map(np.testing.assert_array_equal, loop.best_model.params, good.best_model.params)
    restored = make_loop(tmp_path, num_epochs=3)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(restored.training_state.params))


def test_validation_that_is_not_finite_is_a_divergence() -> None:
    loop = make_loop(num_epochs=3, validation_dataset=Poisoned(epoch=0, batch=0))
    with pytest.raises(UserError, match="loss of the validation set is not finite"):
        loop.run()


def test_loss_that_is_finite_may_be_allowed_to_explode() -> None:
    loop = explosive(TOO_LARGE, divergence={"loss_ratio": None, "max_rollbacks": 0})
    limit = loop._epoch_settings().loss_limit
    assert limit == np.inf


class Poisoned:
    """Data whose forces are not numbers in one batch of an epoch."""

    def __init__(self, epoch: int, batch: int = 2) -> None:
        self.dataset, self.poisoned = make_dataset(), (epoch, batch)

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Any:
        for i, batch in enumerate(self.dataset.epoch(number, start_batch), start_batch):
            factor = np.nan if (number, i) == self.poisoned else 1
            forces = batch.nodes.forces * factor
            yield batch._replace(nodes=batch.nodes._replace(forces=forces))
