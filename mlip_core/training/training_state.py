"""The state that a training step turns into the next one."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from mlip_core.training.ema import EMAParameterTransformation, EMAState


@struct.dataclass
class TrainingState:
    """All that a training step reads and changes.

    Attributes:
        params: the model's parameters.
        optimizer_state: state of the Optax optimizer.
        ema_state: moving average of the parameters.
        num_steps: number of updates of the parameters so far, int32 scalar.
        acc_steps: number of gradients accumulated since the last update, int32 scalar.
        extras: anything else that belongs to the state; arrays only.
    """

    params: Any
    optimizer_state: Any
    ema_state: EMAState
    num_steps: jax.Array
    acc_steps: jax.Array
    extras: dict[str, Any] | None = None


def init_training_state(
    initial_params: Any,
    optimizer: optax.GradientTransformation,
    ema_fun: EMAParameterTransformation,
) -> TrainingState:
    """The state before the first step, with copies of the parameters.

    Compiled as one function, which starts in a fraction of the time that op by op takes. The copies
    matter: a training step gives the memory of its input away, and the caller keeps its parameters.
    """

    @jax.jit
    def init(params: Any) -> TrainingState:
        return TrainingState(
            params=jax.tree.map(jnp.copy, params),
            optimizer_state=optimizer.init(params),
            ema_state=ema_fun.init(params),
            num_steps=jnp.zeros((), jnp.int32),
            acc_steps=jnp.zeros((), jnp.int32),
            extras={},
        )

    return init(initial_params)


@jax.jit
def snapshot(tree: Any) -> Any:
    """A copy on the device, made when its turn comes: later steps do not change it."""
    return jax.tree.map(jnp.copy, tree)
