"""Which run is the best one."""

import csv
import os
from collections.abc import Mapping

from mlip_core.utils.errors import UserError


def choose_best(metrics: Mapping[str, str | os.PathLike[str]], metric: str) -> dict[str, object]:
    """The run whose kept model has the smallest value of a metric on its validation set.

    The test sets are not looked at: what is chosen by them is no longer tested by them.

    Args:
        metrics: the ``metrics.csv`` of each run by name; of equal runs the first wins.
        metric: name of a validation metric, e.g. ``loss`` or ``rmse_f``.

    Returns:
        ``{"run": …, "metric": …, "values": {run: value}}``.

    Raises:
        UserError: if a run does not have the metric.
    """
    values = {run: _value_of_best_epoch(path, metric) for run, path in metrics.items()}
    best = min(values, key=lambda run: values[run])
    return {"run": best, "metric": metric, "values": values}


def _value_of_best_epoch(path: str | os.PathLike[str], metric: str) -> float:
    with open(path, encoding="utf-8", newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    last = rows[max(rows)]
    names = [name.removeprefix("valid_") for name in last if name.startswith("valid_")]
    if metric not in names:
        raise UserError(
            f"select_best.metric: {path} has no {metric!r} (there are: {', '.join(names)})"
        )
    return float(rows[int(last["best_epoch"])][f"valid_{metric}"])
