"""The front of accuracy and speed: which model is the most accurate for what it costs?"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlip_core.report import figures
from mlip_core.report.figure_files import FigureFile, FigureWriter

_X, _Y = "microseconds_per_atom", "force_rmse_mev_per_angstrom"
_MOST_NAMES = 10


def front_figure(table: pd.DataFrame, testset: str, writer: FigureWriter) -> FigureFile | None:
    """Force error against time per atom of all entries on one test set.

    ``None`` if fewer than two entries have both.
    """
    known = table[table["test_set"] == testset].dropna(subset=[_X, _Y])
    if len(known) < 2:
        return None
    return writer.write(
        "front",
        _draw(known),
        alt=f"Force error on {testset} against time per atom of {len(known)} models.",
        caption=f"Accuracy on {testset} against speed. Orange, joined by a line: models that no "
        "other beats in both. Hollow: fails a physics check. Squares: not trained here.",
    )


def _draw(table: pd.DataFrame) -> Figure:
    optimal = pareto_optimal(table[_X].to_numpy(), table[_Y].to_numpy())
    failed = table["checks_failed"].to_numpy() > 0
    named = np.arange(len(table)) if len(table) <= _MOST_NAMES else np.flatnonzero(optimal)
    return figures.front(
        x=table[_X].to_numpy(),
        y=table[_Y].to_numpy(),
        optimal=optimal,
        hollow=failed,
        square=~table["trained_here"].to_numpy(dtype=bool),
        names={int(i): str(table["entry"].iloc[i]) for i in named[:_MOST_NAMES]},
        labels=("time per atom (µs)", "force RMSE (meV/Å)"),
    )


def pareto_optimal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mask of the points ``[n]`` that no other point beats in one and matches in the other."""
    order = np.lexsort((y, x))
    optimal = np.zeros(x.size, dtype=bool)
    best = np.inf
    for i in order:
        if y[i] < best:
            optimal[i] = True
            best = y[i]
    return optimal
