"""The default optimizer: that of the MACE training script, with any base optimizer.

Reference: Batatia et al., "MACE", NeurIPS 2022; github.com/ACEsuit/mace (training script).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mlip_core.training.optimizer_config import OptimizerConfig

LEARNING_RATE = "learning_rate"
"""Name under which the state of the optimizer holds the learning rate of its last step."""

DECAYING_BLOCKS = ("linear_down", "SymmetricContraction")


def get_default_mlip_optimizer(
    config: OptimizerConfig | None = None,
) -> optax.GradientTransformation:
    """AMSGrad (Adam whose second moment never shrinks) in the chain of the function below.

    Args:
        config: its settings; the defaults if ``None``.
    """
    return _chain(optax.amsgrad, config or OptimizerConfig(), is_elementwise=True)


def get_mlip_optimizer_chain_with_flexible_base_optimizer(
    base_optimizer_factory_fun: Callable[[Any], optax.GradientTransformation],
    config: OptimizerConfig,
) -> optax.GradientTransformation:
    """Weight decay, gradient clipping, then a base optimizer under a learning rate schedule.

    Gradients are averaged over ``num_gradient_accumulation_steps`` steps before all of these.

    Args:
        base_optimizer_factory_fun: gives an optimizer for a learning rate, e.g. ``optax.adam``.
        config: the settings of the chain.
    """
    return _chain(base_optimizer_factory_fun, config, is_elementwise=False)


def _chain(
    base: Callable[[Any], optax.GradientTransformation],
    config: OptimizerConfig,
    is_elementwise: bool,
) -> optax.GradientTransformation:
    """The chain; if the base treats each number alone, on all parameters as one long array.

    One operation on a long array instead of one for each parameter: networks have so many small
    parameters that these operations would be half of the compiled step.
    """

    def build(learning_rate: Any) -> optax.GradientTransformation:
        chain = optax.chain(optax.clip_by_global_norm(config.grad_norm), base(learning_rate))
        if config.num_gradient_accumulation_steps > 1:
            accumulated = optax.MultiSteps(chain, config.num_gradient_accumulation_steps)
            chain = accumulated.gradient_transformation()
        if is_elementwise:
            chain = optax.flatten(chain)
        # Decay may come before the average: parameters do not change while gradients accumulate.
        return optax.chain(*_weight_decay(config), chain)

    return optax.inject_hyperparams(build)(**{LEARNING_RATE: learning_rate_schedule(config)})


def learning_rate_schedule(config: OptimizerConfig) -> optax.Schedule:
    """The learning rate as a function of the number of steps done."""
    warmup = optax.linear_schedule(
        config.init_learning_rate, config.peak_learning_rate, config.warmup_steps
    )
    return optax.join_schedules([warmup, _transition(config)], [config.warmup_steps])


def _transition(config: OptimizerConfig) -> optax.Schedule:
    peak, final, n_steps = (
        config.peak_learning_rate,
        config.final_learning_rate,
        config.transition_steps,
    )
    if n_steps == 0:
        return optax.constant_schedule(final)
    if peak == 0 or config.transition == "linear":
        return optax.linear_schedule(peak, final, n_steps)
    if config.transition == "cosine":
        return optax.cosine_decay_schedule(peak, n_steps, alpha=final / peak)
    return lambda step: peak * (final / peak) ** jnp.minimum(step / n_steps, 1.0)


def weight_decay_mask(params: Any) -> Any:
    """Which parameters decay: those of ``DECAYING_BLOCKS``, or all if there are no such blocks."""
    mask = jax.tree_util.tree_map_with_path(
        lambda path, _: any(block in jax.tree_util.keystr(path) for block in DECAYING_BLOCKS),
        params,
    )
    if any(jax.tree.leaves(mask)):
        return mask
    return jax.tree.map(lambda _: True, params)


def _weight_decay(config: OptimizerConfig) -> list[optax.GradientTransformation]:
    if config.weight_decay == 0:
        return []
    mask = weight_decay_mask if config.apply_weight_decay_mask else None
    return [optax.add_decayed_weights(config.weight_decay, mask)]
