"""What the loop decides from the history of its metrics.

All are functions of the rows of ``History.metrics``, which every checkpoint holds: a decision needs
no counters of its own, and a training that goes on after a kill or from an earlier epoch decides as
it would have.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlip_core.models.loss import Loss
from mlip_core.training.training_loop_config import (
    CooldownConfig,
    EarlyStoppingConfig,
    PlateauConfig,
)
from mlip_core.utils.errors import UserError

Rows = Sequence[Mapping[str, Any]]


def stopping_epoch(rows: Rows, config: EarlyStoppingConfig | None) -> int | None:
    """The first epoch after ``patience`` others without an improvement; ``None`` if there is none.

    A training ends there, and rows beyond it are those of another one, which was more patient.
    """
    if config is None:
        return None
    judged = [row["epoch"] for row in rows if _column(config) in row]
    counts = _epochs_without_improvement(rows, config)
    ages = zip(judged, counts, strict=True)
    return next((epoch for epoch, age in ages if age >= config.patience), None)


def plateau_scale(rows: Rows, config: PlateauConfig | None) -> float:
    """What the learning rate of the next epoch is multiplied by."""
    if config is None:
        return 1.0
    waited = reductions = 0
    for epoch, age in enumerate(_epochs_without_improvement(rows, config)):
        waited = waited + 1 if age else 0
        if waited >= max(config.patience, config.patience_share * epoch):
            waited, reductions = 0, reductions + 1
    return max(config.factor**reductions, config.min_scale)


def epochs_before_cooldown(num_epochs: int, config: CooldownConfig | None) -> int:
    """How many epochs of a training do not depend on when it ends."""
    return num_epochs - (round(config.share * num_epochs) if config else 0)


def cooldown_scale(epoch: int, num_epochs: int, config: CooldownConfig | None) -> float:
    """What the learning rate of an epoch, the first being 1, is multiplied by."""
    start = epochs_before_cooldown(num_epochs, config)
    if epoch <= start:
        return 1.0
    return 1.0 - math.sqrt((epoch - start) / (num_epochs - start + 1))


def loss_limit(rows: Rows, loss: Loss, epoch: int, ratio: float | None) -> float:
    """Above which loss of a batch an epoch counts as diverged.

    ``ratio`` times the average of the epoch before, or more if weights of the loss grow now.
    """
    previous = rows[-1].get("train_loss") if rows else None
    if ratio is None or not previous:
        return math.inf
    return ratio * previous * _growth(loss.weights(epoch - 1), loss.weights(epoch))


def _growth(before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    """The largest factor, at least 1, by which a weight grows; infinite if one starts from 0."""
    pairs = [(float(before[name]), float(now[name])) for name in now]
    return max([1.0, *(_ratio(new, old) for old, new in pairs if new > 0)])


def _ratio(new: float, old: float) -> float:
    return new / old if old > 0 else math.inf


def _epochs_without_improvement(
    rows: Rows, config: EarlyStoppingConfig | PlateauConfig
) -> list[int]:
    """How many epochs the best value is old, after each evaluation."""
    best, count, counts = math.inf, 0, []
    for value in _values(rows, config):
        if value < best * (1 - config.min_improvement):
            best, count = value, 0
        else:
            count += 1
        counts.append(count)
    return counts


def _column(config: EarlyStoppingConfig | PlateauConfig) -> str:
    return f"valid_{config.metric}"


def _values(rows: Rows, config: EarlyStoppingConfig | PlateauConfig) -> list[float]:
    column = _column(config)
    values = [float(row[column]) for row in rows if column in row]
    evaluated = [name for row in rows for name in row if name.startswith("valid_")]
    if evaluated and not values:
        names = dict.fromkeys(name.removeprefix("valid_") for name in evaluated)
        raise UserError(
            f"the validation set has no metric {config.metric!r} to judge the training by; "
            f"there are: {', '.join(names)}"
        )
    return values
