"""Settings of the training loop."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

MatmulPrecision = Literal["float32", "tensorfloat32", "bfloat16"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EarlyStoppingConfig(_Settings):
    """When to end a training that does not get better.

    Attributes:
        metric: metric of the validation set by its name in `metrics.csv` without `valid_`, smaller
            is better: `loss`, `mae_f`, `rmse_e`…
        patience: end after this many epochs without an improvement.
        min_improvement: by which share a value has to be below the best one to be an improvement.
    """

    metric: str = "loss"
    patience: PositiveInt = 100
    min_improvement: NonNegativeFloat = 0.0


class PlateauConfig(_Settings):
    """When to lower the learning rate, in addition to the optimizer's own schedule.

    Attributes:
        metric: metric of the validation set, as for early stopping.
        patience: lower after this many epochs without an improvement, and again after as many.
        patience_share: the same as a share of the epochs so far, if that is more. Errors fall with
            a power of the epochs, so improvements become rare while there is still much to gain.
        min_improvement: by which share a value has to be below the best one to be an improvement.
        factor: what the learning rate is multiplied by.
        min_scale: the smallest product of these factors.
    """

    metric: str = "loss"
    patience: PositiveInt = 50
    patience_share: NonNegativeFloat = 0.0
    min_improvement: NonNegativeFloat = 0.0
    factor: float = Field(default=0.8, gt=0.0, lt=1.0)
    min_scale: NonNegativeFloat = 0.0


class CooldownConfig(_Settings):
    """How the learning rate falls to zero at the end of a training, on top of all else.

    A longer training shares all epochs up to the fall with a shorter one and is continued from
    there (Hägele et al., NeurIPS 2024; the fall is their 1 - sqrt). It lowers the error on the
    training set much, which helps where there are data enough; with some hundred structures the
    moving average of the parameters alone does as well.

    Attributes:
        share: the last epochs during which it falls, as a share of all.
    """

    share: float = Field(default=0.2, gt=0.0, le=1.0)


class DivergenceConfig(_Settings):
    """What to do when the loss is not finite any more, or explodes.

    The training then goes back to the end of its best epoch and on from there with a smaller
    learning rate.

    Attributes:
        max_rollbacks: how often to go back; then the training ends with an error.
        factor: what the learning rate is multiplied by each time.
        loss_ratio: a batch whose loss is more than this many times the average of the epoch before
            counts as diverged; `null` if only a loss that is not finite does.
    """

    max_rollbacks: NonNegativeInt = 3
    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    loss_ratio: float | None = Field(default=1e4, gt=1.0)


class TrainingLoopConfig(_Settings):
    """Settings of ``TrainingLoop``.

    Attributes:
        num_epochs: how many times to go through the training set.
        num_gradient_accumulation_steps: how many steps the optimizer accumulates before it updates
            the parameters; has to be that of the optimizer. A study need say it once.
        random_seed: seed of all random numbers of the training. The loop draws none itself: the
            order of the data is the dataset's.
        ema_decay: decay of the moving average of the parameters.
        use_ema_params_for_eval: whether to evaluate the debiased moving average; the best model
            then is that average.
        eval_num_graphs: how many structures of the validation set to evaluate; all if ``None``.
        run_eval_at_start: whether to evaluate before the first epoch.
        early_stopping: when to end before ``num_epochs``; never if ``None``.
        plateau: when to lower the learning rate because the validation set says so; never if
            ``None``.
        cooldown: how the learning rate falls at the end; not at all if ``None``.
        divergence: what to do when the loss is not finite any more, or explodes.
        swa_start_epoch: stochastic weight averaging (Izmailov et al., UAI 2018): from this epoch
            on, evaluate the plain mean of the parameters at the ends of epochs; the best model then
            is that mean. ``None``: never.
        matmul_precision: precision of the factors of matrix products on devices that have a faster
            one, sums being float32, as are parameters, energies and everything else; ``None``: that
            of JAX for the device. CPUs always take float32.
    """

    num_epochs: NonNegativeInt
    num_gradient_accumulation_steps: PositiveInt = 1
    random_seed: int = 42
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    use_ema_params_for_eval: bool = True
    eval_num_graphs: PositiveInt | None = None
    run_eval_at_start: bool = True
    early_stopping: EarlyStoppingConfig | None = None
    plateau: PlateauConfig | None = None
    cooldown: CooldownConfig | None = None
    divergence: DivergenceConfig = DivergenceConfig()
    swa_start_epoch: PositiveInt | None = None
    matmul_precision: MatmulPrecision | None = None
