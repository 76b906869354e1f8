"""Which run is the best one."""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlip_core.utils.errors import UserError

PathLike = str | os.PathLike[str]


def choose_best(
    metrics: Mapping[str, PathLike],
    metric: str,
    checks: Iterable[tuple[str, PathLike]] = (),
    gates: bool = True,
) -> dict[str, object]:
    """The run whose kept model has the smallest value of a metric on its validation set.

    The test sets are not looked at: what is chosen by them is no longer tested by them.

    Args:
        metrics: the ``metrics.csv`` of each run by name; of equal runs the first wins.
        metric: name of a validation metric, e.g. ``loss`` or ``rmse_f``.
        checks: runs, each with the result of a physics check (JSON).
        gates: whether a run that failed a check is not chosen.

    Returns:
        ``{"run": …, "metric": …, "values": {run: value}, "gates": {run: [failed checks]}}``; the
        run is ``None`` if all failed.

    Raises:
        UserError: if a run does not have the metric.
    """
    values = {run: _value_of_best_epoch(path, metric) for run, path in metrics.items()}
    failed: dict[str, list[str]] = {run: [] for run in metrics}
    for run, path in checks:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
        if result["passed"] is False:
            failed[run].append(result["check"])
    candidates = [run for run in values if not (gates and failed[run])]
    best = min(candidates, key=values.__getitem__, default=None)
    return {"run": best, "metric": metric, "values": values, "gates": failed}


def read_best_run(path: PathLike) -> str:
    """The run that :func:`choose_best` chose, from its file.

    Raises:
        UserError: if there is none, with the checks that each run failed.
    """
    choice = json.loads(Path(path).read_text(encoding="utf-8"))
    if choice["run"] is not None:
        return str(choice["run"])
    failed = "; ".join(f"{run}: {', '.join(names)}" for run, names in choice["gates"].items())
    raise UserError(
        f"no best model: every run failed a physics check ({failed}); see the report, change the "
        "checks under physics, or choose by the metric alone with select_best.gates: false"
    )


def _value_of_best_epoch(path: PathLike, metric: str) -> float:
    with open(path, encoding="utf-8", newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    last = rows[max(rows)]
    names = [name.removeprefix("valid_") for name in last if name.startswith("valid_")]
    if metric not in names:
        raise UserError(
            f"select_best.metric: {path} has no {metric!r} (there are: {', '.join(names)})"
        )
    return float(rows[int(last["best_epoch"])][f"valid_{metric}"])
