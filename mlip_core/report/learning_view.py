"""Rounds of active learning: what was chosen in each, and how the errors fell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlip_core.report import figures
from mlip_core.report.elements import Cell, Column, Row, Table, number, word
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import significant, thousands
from mlip_core.report.inputs import LearningRound
from mlip_core.report.leaderboard import entry_href
from mlip_core.report.results import EntryResults, read_json

_MILLI = 1000.0


@dataclass(frozen=True)
class LearningView:
    """One active learning."""

    name: str
    table: Table
    figures: Sequence[FigureFile]


@dataclass(frozen=True)
class _Round:
    """A round as it came out: structures trained on, the choice before it, errors of its models."""

    entry: str
    n_training: int | None
    selection: Mapping[str, Any]
    errors: Mapping[str, Any]

    @property
    def force_rmse(self) -> float | None:
        """On the first test set, meV/Å."""
        forces = self.errors.get("forces")
        return None if forces is None else _MILLI * forces["rmse"]


def learning_views(
    learning: Mapping[str, Sequence[LearningRound]],
    entries: Sequence[EntryResults],
    writer: FigureWriter,
) -> list[LearningView]:
    """Each active learning of a study."""
    known = {entry.name: entry for entry in entries}
    return [
        _view(name, [_read(each, known) for each in rounds], writer)
        for name, rounds in learning.items()
    ]


def _read(given: LearningRound, entries: Mapping[str, EntryResults]) -> _Round:
    metrics = entries[given.entry].metrics if given.entry in entries else {}
    sizes = read_json(given.dataset / "splits" / "split.json").get("sizes", {})
    return _Round(
        entry=given.entry,
        n_training=sizes.get("train"),
        selection=read_json(given.selection),
        errors=next(iter(metrics.values()), {}),
    )


def _view(name: str, rounds: Sequence[_Round], writer: FigureWriter) -> LearningView:
    columns = [
        Column("Round", numeric=False),
        Column("Models", numeric=False),
        Column("Training structures"),
        Column("Chosen before"),
        Column("Of"),
        Column("Spread of the chosen", "meV/Å"),
        Column("Spread of the pool", "meV/Å"),
        Column("Force RMSE", "meV/Å"),
        Column("Energy RMSE", "meV/atom"),
    ]
    caption = (
        "Before each round but the first, structures were chosen from the pool and labelled. "
        "Spread: how far the committee of the round before disagrees on the force of an atom, the "
        "largest of a structure; of the chosen from the smallest to the largest, of the pool the "
        "median and the largest."
    )
    rows = [Row(list(_cells(i, each))) for i, each in enumerate(rounds)]
    return LearningView(name, Table(caption, columns, rows), list(_figure(name, rounds, writer)))


def _cells(index: int, found: _Round) -> Iterator[Cell]:
    chosen = found.selection.get("selected", [])
    spreads = [each["max_force_spread_ev_per_angstrom"] for each in chosen]
    known = [_MILLI * spread for spread in spreads if spread is not None]
    pool = found.selection.get("spread_quantiles_ev_per_angstrom", {})
    energy = found.errors.get("energy_per_atom")
    yield word(index)
    yield word(found.entry, entry_href(found.entry))
    yield number(found.n_training, thousands(found.n_training))
    yield number(len(chosen) or None, thousands(len(chosen)))
    yield number(found.selection.get("pool"), thousands(found.selection.get("pool")))
    yield _range(min(known, default=None), max(known, default=None))
    yield _range(*(_MILLI * pool[q] if pool else None for q in ("0.5", "1.0")))
    yield number(found.force_rmse)
    yield number(None if energy is None else _MILLI * energy["rmse"])


def _range(low: float | None, high: float | None) -> Cell:
    if low is None or high is None:
        return number(None)
    return number(high, f"{significant(low)}–{significant(high)}")


def _figure(name: str, rounds: Sequence[_Round], writer: FigureWriter) -> Iterator[FigureFile]:
    points = [
        (found.n_training, found.force_rmse)
        for found in rounds
        if found.n_training is not None and found.force_rmse is not None
    ]
    if len(points) < 2:
        return
    sizes, errors = np.array(points, dtype=np.float64).T
    text = f"Force RMSE against the number of training structures, {len(points)} rounds"
    yield writer.write(
        f"learning-{name}",
        figures.traces({name: (sizes, errors)}, "training structures", "force RMSE (meV/Å)"),
        alt=f"{text}, from {significant(errors[0])} to {significant(errors[-1])} meV/Å.",
        caption=f"{text}.",
    )
