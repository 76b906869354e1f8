"""Which run is the best one."""

import os
from collections.abc import Mapping

import pandas as pd

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
    table = pd.read_csv(path, float_precision="round_trip")
    names = map(str, table.columns)
    columns = [name.removeprefix("valid_") for name in names if name.startswith("valid_")]
    if metric not in columns:
        raise UserError(
            f"select_best.metric: {path} has no {metric!r} (there are: {', '.join(columns)})"
        )
    best_epoch = table["best_epoch"].iloc[-1]
    return float(table.loc[table["epoch"] == best_epoch, f"valid_{metric}"].iloc[-1])
