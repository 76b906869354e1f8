"""Settings of the training loop."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt


class TrainingLoopConfig(BaseModel):
    """Settings of ``TrainingLoop``.

    Attributes:
        num_epochs: how many times to go through the training set.
        num_gradient_accumulation_steps: how many steps the optimizer accumulates before it updates
            the parameters; has to be that of the optimizer.
        random_seed: seed of all random numbers of the training. The loop draws none itself: the
            order of the data is the dataset's.
        ema_decay: decay of the moving average of the parameters.
        use_ema_params_for_eval: whether to evaluate the debiased moving average; the best model
            then is that average.
        eval_num_graphs: how many structures of the validation set to evaluate; all if ``None``.
        run_eval_at_start: whether to evaluate before the first epoch.
    """

    model_config = ConfigDict(extra="forbid")

    num_epochs: NonNegativeInt
    num_gradient_accumulation_steps: PositiveInt = 1
    random_seed: int = 42
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    use_ema_params_for_eval: bool = True
    eval_num_graphs: PositiveInt | None = None
    run_eval_at_start: bool = True
