"""Settings of the default optimizer."""

from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)


class OptimizerConfig(BaseModel):
    """Settings of ``get_default_mlip_optimizer``.

    The learning rate goes in a straight line from ``init`` to ``peak`` in ``warmup_steps``, then to
    ``final`` in ``transition_steps``, where it stays. Its steps are training steps (batches), also
    with gradient accumulation.

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
        transition: how it goes there: in a straight line, along half a cosine (Loshchilov and
            Hutter, ICLR 2017), or by the same factor in each step.
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
    transition: Literal["linear", "cosine", "exponential"] = "linear"

    @model_validator(mode="after")
    def validate_transition(self) -> Self:
        """Raise ``ValueError`` if a learning rate of 0 would have to be multiplied up or down."""
        if self.transition == "exponential" and self.final_learning_rate <= 0:
            raise ValueError("an exponential transition never gets to a final_learning_rate of 0")
        return self
