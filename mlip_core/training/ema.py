"""Exponential moving average of parameters, debiased as in Adam (Kingma and Ba, ICLR 2015)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any


class EMAState(NamedTuple):
    """The average so far.

    Attributes:
        params_ema: ``sum_i (1 - decay) decay^(step - i) params_i``, biased towards its start, zero.
        step: number of parameters averaged.
    """

    params_ema: Params
    step: jax.Array


class EMAParameterTransformation(NamedTuple):
    """Two pure functions: ``init(params) -> state`` and ``update(state, params) -> state``."""

    init: Callable[[Params], EMAState]
    update: Callable[[EMAState, Params], EMAState]


def exponentially_moving_average(decay: float = 0.99) -> EMAParameterTransformation:
    """The average in which a value counts ``decay`` times less at each later step."""

    def init(params: Params) -> EMAState:
        return EMAState(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32))

    def update(state: EMAState, params: Params) -> EMAState:
        average = jax.tree.map(
            lambda ema, new: decay * ema + (1 - decay) * new, state.params_ema, params
        )
        return EMAState(average, state.step + 1)

    return EMAParameterTransformation(init, update)


def get_debiased_params(state: EMAState, decay: float) -> Params:
    """The weighted mean of the parameters seen so far; not a number before the first update."""
    log_decay = math.log(decay) if decay > 0 else -math.inf
    weight = -jnp.expm1(state.step * log_decay)  # 1 - decay^step, without cancellation
    return jax.tree.map(lambda ema: ema / weight.astype(ema.dtype), state.params_ema)
