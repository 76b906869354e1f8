"""Settings of the default optimizer."""

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)


class OptimizerConfig(BaseModel):
    """Settings of ``get_default_mlip_optimizer``.

    The learning rate goes in a straight line from ``init`` to ``peak`` in ``warmup_steps``, then in
    a straight line to ``final`` in ``transition_steps``, where it stays. Its steps are training
    steps (batches), also with gradient accumulation.

    Attributes:
        apply_weight_decay_mask: whether only parameters of blocks named ``linear_down`` and
            ``SymmetricContraction`` (MACE) decay; if there are none such, all parameters decay.
        weight_decay: coefficient of the parameters that is added to their gradients.
        grad_norm: the largest norm of all gradients together; larger ones are scaled down to it.
        num_gradient_accumulation_steps: number of batches whose gradients are averaged for one
            update.
        init_learning_rate: learning rate of the first step.
        peak_learning_rate: learning rate at the end of the warm-up.
        final_learning_rate: learning rate at the end of the transition.
        warmup_steps: number of steps of the warm-up.
        transition_steps: number of steps from the peak to the final learning rate.
    """

    model_config = ConfigDict(extra="forbid")

    apply_weight_decay_mask: bool = True
    weight_decay: NonNegativeFloat = 0.0
    grad_norm: PositiveFloat = 500
    num_gradient_accumulation_steps: PositiveInt = 1
    init_learning_rate: NonNegativeFloat = 0.01
    peak_learning_rate: NonNegativeFloat = 0.01
    final_learning_rate: NonNegativeFloat = 0.01
    warmup_steps: NonNegativeInt = 4000
    transition_steps: NonNegativeInt = 360000
