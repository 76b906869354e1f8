"""Which parameters are evaluated and kept: those of the last step, or an average of them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from mlip_core.training.ema import EMAState, get_debiased_params
from mlip_core.training.training_loop_config import TrainingLoopConfig
from mlip_core.training.training_state import TrainingState, snapshot

SWA_MEAN = "swa_mean"
"""Name of the mean of stochastic weight averaging in the extras of the training state."""


def evaluates_average(config: TrainingLoopConfig) -> bool:
    """Whether the best model is an average of parameters."""
    return config.use_ema_params_for_eval or config.swa_start_epoch is not None


def params_to_evaluate(state: TrainingState, config: TrainingLoopConfig) -> Any:
    """What the config says, as a copy: the next step takes over the memory of the state."""
    mean = (state.extras or {}).get(SWA_MEAN)
    if mean is not None and int(mean.step) > 0:
        return snapshot(mean.params_ema)
    if config.use_ema_params_for_eval and int(state.num_steps) > 0:
        return debiased(state.ema_state, config.ema_decay)
    return snapshot(state.params)


def with_empty_swa_mean(state: TrainingState, config: TrainingLoopConfig) -> TrainingState:
    """The state before the first step, with the mean of no epoch if there will be a mean."""
    if config.swa_start_epoch is None:
        return state
    zeros = jax.tree.map(jnp.zeros_like, state.params)
    mean = EMAState(zeros, jnp.zeros((), jnp.int32))
    return dataclasses.replace(state, extras={SWA_MEAN: mean})


def with_epoch_in_swa_mean(
    state: TrainingState, config: TrainingLoopConfig, epoch: int
) -> TrainingState:
    """The state at the end of an epoch, whose parameters enter the mean if it has begun."""
    start = config.swa_start_epoch
    if start is None or epoch < start or state.extras is None:
        return state
    mean = _add_to_mean(state.extras[SWA_MEAN], state.params)
    return dataclasses.replace(state, extras=state.extras | {SWA_MEAN: mean})


debiased = jax.jit(get_debiased_params, static_argnums=1)
"""``get_debiased_params`` as one program."""


@jax.jit
def _add_to_mean(mean: EMAState, params: Any) -> EMAState:
    """The plain mean of parameters with one more, in ``params_ema``; it has no bias."""
    step = mean.step + 1
    average = jax.tree.map(
        lambda old, new: old + (new - old) / step.astype(old.dtype), mean.params_ema, params
    )
    return EMAState(average, step)
