"""Learning curves: which there are, in the units of the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mlip_core.report import figures
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import significant
from mlip_core.report.results import EntryResults

_MILLI = 1000.0
_MOST_IN_FULL = 5


@dataclass(frozen=True)
class Curve:
    """A metric of the history as it is plotted: its values times ``factor`` have the unit."""

    metric: str
    name: str
    unit: str
    factor: float

    @property
    def label(self) -> str:
        """Of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def of(self, history: pd.DataFrame, split: str) -> pd.Series | None:
        """Values by epoch in the curve's unit; ``None`` if no epoch has one."""
        column = f"{split}_{self.metric}"
        if column not in history:
            return None
        series = history.set_index("epoch")[column].dropna() * self.factor
        return None if series.empty else series


_LOSS = Curve("loss", "loss", "", 1.0)
_ERRORS = (
    Curve("rmse_f", "force RMSE", "meV/Å", _MILLI),
    Curve("rmse_e_per_atom", "energy RMSE", "meV/atom", _MILLI),
    Curve("rmse_e", "energy RMSE", "meV", _MILLI),
    Curve("rmse_stress", "stress RMSE", "meV/Å³", _MILLI),
)
_SPLITS = {"train": "training", "valid": "validation"}


def learning_curves(entry: EntryResults, writer: FigureWriter) -> Iterator[FigureFile]:
    """One figure for the loss and each error of one run."""
    for curve in (_LOSS, *_error_curves(entry.history)):
        series = {
            label: values
            for split, label in _SPLITS.items()
            if (values := curve.of(entry.history, split)) is not None
        }
        if series:
            text = f"{_capital(curve.name)} by epoch; at the end {_ends(series, curve.unit)}."
            yield writer.write(
                f"learning-{curve.metric}",
                figures.learning_curve(series, curve.label),
                alt=text,
                caption=text,
            )


def compared_curves(runs: Sequence[EntryResults], writer: FigureWriter) -> Iterator[FigureFile]:
    """Validation errors of several runs, one figure for each error; the first ones stand out."""
    if len(runs) < 2:
        return
    for curve in _error_curves(runs[0].history):
        series = {
            run.name: values
            for run in runs
            if (values := curve.of(run.history, "valid")) is not None
        }
        text = f"{_capital(curve.name)} on the validation set by epoch, {len(series)} runs."
        shown = list(series)[:_MOST_IN_FULL]
        yield writer.write(
            f"comparison-{curve.metric}",
            figures.many_learning_curves(series, curve.label, shown),
            alt=text,
            caption=text + (" Named are the best ones." if len(series) > len(shown) else ""),
        )


def _error_curves(history: pd.DataFrame) -> list[Curve]:
    """The errors on the validation set that a history has; energies per atom if it can be."""
    known = [curve for curve in _ERRORS if f"valid_{curve.metric}" in history]
    per_atom = any(curve.metric == "rmse_e_per_atom" for curve in known)
    return [curve for curve in known if not (per_atom and curve.metric == "rmse_e")]


def _ends(curves: Mapping[str, pd.Series], unit: str) -> str:
    ends = [f"{significant(s.iloc[-1])} {unit}".strip() for s in curves.values()]
    return " and ".join(f"{end} in {label}" for end, label in zip(ends, curves, strict=True))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
