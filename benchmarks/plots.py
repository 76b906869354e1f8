"""Plots of results: ``python -m benchmarks.plots`` draws all again from the figures as they are.

A plot depends on the figures of one JSON file alone: the same figures give the same bytes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from benchmarks.data.cases import OURS as OUR_DATA
from benchmarks.data.cases import TASKS as DATA_TASKS
from benchmarks.models.measure import MEMORY
from benchmarks.models.participants import OURS
from benchmarks.models.table import QUANTITIES
from benchmarks.scaling.fit import fitted
from mlip_core.report.figure_files import BLUE, INK, SERIES, SKY, VERMILION, style
from mlip_core.report.formats import significant, thousands
from mlip_core.utils.files import atomic_path, write_text

RESULTS = Path(__file__).parent / "results"
UNITS = {"energy": "meV", "energy_per_atom": "meV/atom", "forces": "meV/Å"}
IN_QUESTION = (OURS.name, OUR_DATA.name, "evaluation", "tuned-", "uncertain-r3-")
"""How the names of rows begin that the others are compared with."""
MARKERS = "osD^vP"
COLUMNS = 3
WIDEST = 26
"""Characters of a line beside a bar."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A value and between what it lies, if that is known."""

    value: float
    low: float | None = None
    high: float | None = None


def add_plot(figures: Path) -> Path | None:
    """Draw ``<name>.svg`` beside ``<name>.json`` and show it above the tables of ``<name>.md``.

    Returns:
        the plot; ``None`` for results that are not drawn, or hold nothing to draw.
    """
    drawings = (draw for pattern, draw in DRAWINGS.items() if fnmatch(figures.stem, pattern))
    draw = next(drawings, None)
    if draw is None:
        return None
    plot = figures.with_suffix(".svg")
    with style():
        figure = draw(json.loads(figures.read_text(encoding="utf-8")))
        if figure is None:
            return None
        with atomic_path(plot) as file:
            # Matplotlib writes the date by default.
            figure.savefig(file, format="svg", metadata={"Date": None})
    _show(plot, figures.with_suffix(".md"))
    return plot


def _show(plot: Path, page: Path) -> None:
    """Put the plot before the first table of a page that does not show it yet."""
    text = page.read_text(encoding="utf-8")
    if f"]({plot.name})" not in text:
        before, table, after = text.partition("\n| ")
        write_text(page, f"{before}\n![{plot.stem}]({plot.name})\n{table}{after}")


def _ratios(figures: Figures) -> Figure | None:
    """How many times as long the peers take, a panel for each quantity."""
    panels: dict[str, dict[str, Bar]] = {}
    for quantity, label in QUANTITIES.items():
        panel = {}
        for case, participants in figures["cases"].items():
            ours = _quantity(participants, OURS.name, quantity)
            for name in participants:
                peer = _quantity(participants, name, quantity)
                if ours and peer and name != OURS.name:
                    panel[f"{case}: {name}"] = _ratio(peer, ours)
        panels[f"{label}{'' if quantity == MEMORY else ', time'}"] = panel
    return _bars(panels, "the peer's, divided by ours", is_ratio=True)


def _quantity(participants: Figures, name: str, quantity: str) -> dict[str, float] | None:
    found: dict[str, float] | None = participants.get(name, {}).get("quantities", {}).get(quantity)
    return found


def _ratio(peer: dict[str, float], ours: dict[str, float]) -> Bar:
    """Of medians; from the least to the most that the quartiles allow."""
    return Bar(
        peer["median"] / ours["median"], peer["low"] / ours["high"], peer["high"] / ours["low"]
    )


def _errors(figures: Figures) -> Figure | None:
    """The errors of each participant, a panel for each test set and kind."""
    panels: dict[str, dict[str, Bar]] = {}
    for name, reached in figures["reached"].items():
        label = fill(name, WIDEST, break_long_words=False, break_on_hyphens=False)
        row = f"{label}\n{reached['epochs']} epochs, {reached['seconds']:.0f} s"
        for test, errors in reached["errors"].items():
            for error, value in errors.items():
                quantity, _, kind = error.rpartition("_")
                title = f"{quantity.replace('_', ' ')} {kind.upper()}, {UNITS[quantity]}"
                panels.setdefault(f"{test}: {title}", {})[row] = Bar(1000 * value)
    return _bars(panels, "error", columns=2)


def _rates(figures: Figures) -> Figure | None:
    """Structures a second of both participants, a panel for each dataset and task."""
    panels = {
        f"{case}: {label}": {
            name: _bar(one["structures_per_second"][task]) for name, one in participants.items()
        }
        for case, participants in figures["cases"].items()
        for task, label in DATA_TASKS.items()
    }
    return _bars(panels, "structures a second", columns=2)


def _steps(figures: Figures) -> Figure | None:
    """Milliseconds of a step of dynamics, a panel for each system."""
    panels = {
        system: {
            name: _bar(summary, 1000)
            for name, one in participants.items()
            for summary in one["quantities"].values()
        }
        for system, participants in figures["systems"].items()
    }
    return _bars(panels, "ms a step")


def _learned(figures: Figures) -> Figure | None:
    """Force errors of each run, a panel for each seed."""
    panels = {
        f"seed {seed}: forces RMSE, meV/Å": {
            run: Bar(1000 * value) for run, value in errors.items()
        }
        for seed, errors in figures["rmse_forces_ev_per_angstrom"].items()
    }
    return _bars(panels, "error")


def _seconds(figures: Figures) -> Figure | None:
    """What an evaluation takes and what inference alone does, a panel for each dataset."""
    panels = {
        f"{case}: {found['n_structures']} structures": {
            name: _bar(found[name]) for name in ("inference", "evaluation", "metrics")
        }
        for case, found in figures["cases"].items()
    }
    return _bars(panels, "s", columns=2)


def _bar(summary: Mapping[str, float], factor: float = 1.0) -> Bar:
    return Bar(*(factor * summary[key] for key in ("median", "low", "high")))


def _bars(
    panels: dict[str, dict[str, Bar]], xlabel: str, columns: int = COLUMNS, is_ratio: bool = False
) -> Figure | None:
    """Horizontal bars, the same rows in each panel; ratios begin at 1 and grow by factors."""
    panels = {title: panel for title, panel in panels.items() if panel}
    if not panels:
        return None
    rows = list(dict.fromkeys(row for panel in panels.values() for row in panel))
    most_breaks = max(row.count("\n") for row in rows)
    height = 1.1 + (0.24 + 0.18 * most_breaks) * len(rows)
    figure, axes = _grid(len(panels), columns, height, sharey=True)
    for panel, (title, bars) in zip(axes, panels.items(), strict=True):
        panel.set_title(title, loc="left", fontsize=9.5, color=INK)
        for row, bar in bars.items():
            _draw_bar(panel, rows.index(row), bar, _colour(row, bar, is_ratio), is_ratio)
        panel.set_yticks(range(len(rows)), rows)
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.grid(visible=False, axis="y")
        _scale_bars(panel, bars, is_ratio)
        panel.set_xlabel(xlabel)
    return figure


def _draw_bar(panel: Axes, row: int, bar: Bar, colour: str, is_ratio: bool) -> None:
    start = 1.0 if is_ratio else 0.0
    panel.barh(row, bar.value - start, left=start, height=0.62, color=colour)
    if bar.low is not None and bar.high is not None:
        panel.plot([bar.low, bar.high], [row, row], color=INK, linewidth=1.0)
    end = max(bar.value, bar.high or 0.0, start)
    panel.annotate(
        significant(bar.value), (end, row), (3, 0), textcoords="offset points", va="center"
    )


def _colour(row: str, bar: Bar, is_ratio: bool) -> str:
    if is_ratio:
        return BLUE if bar.value >= 1.0 else VERMILION
    return BLUE if row.startswith(IN_QUESTION) else SKY


def _scale_bars(panel: Axes, bars: dict[str, Bar], is_ratio: bool) -> None:
    """Axes with room for the numbers at the bars' ends."""
    highest = max(bar.high or bar.value for bar in bars.values())
    if not is_ratio:
        panel.set_xlim(0.0, 1.25 * highest)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
        return
    lowest = min(bar.low or bar.value for bar in bars.values())
    panel.set_xscale("log")
    panel.set_xlim(min(1.0, 0.9 * lowest), 1.6 * max(1.0, highest))
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    _plain_numbers(panel.xaxis)


def _exponents(figures: Figures) -> Figure:
    """Times against sizes, both by logarithms, with the power laws of the largest sizes."""
    axes = {name: one for name, one in figures.items() if isinstance(one, dict) and "rows" in one}
    figure, panels = _grid(len(axes), COLUMNS, 3.0)
    for panel, axis in zip(panels, axes.values(), strict=True):
        sizes = [row[axis["against"]] for row in axis["rows"]]
        for (task, exponent), marker, (colour, _) in zip(
            axis["exponents"].items(), MARKERS, SERIES, strict=False
        ):
            times = [1000 * row[task] for row in axis["rows"]]
            label = f"{axis['tasks'][task]}: exponent {exponent:.2f}"
            panel.plot(sizes, times, marker, color=colour, markersize=4.5, label=label)
            panel.plot(*zip(*fitted(sizes, times), strict=True), color=colour, linewidth=1.0)
        xlabel = axis["label"] if axis["against"] == "size" else "edges of a step"
        _logarithmic(panel, sizes, xlabel, "ms")
    return figure


def _growth(figures: Figures) -> Figure:
    """Processor time of each job for a structure, and the largest memory, by number."""
    results = figures["results"]
    counts = [result["structures"] for result in results]
    figure, (times, memory) = _grid(2, 2, 3.2)
    stages = list(results[0]["stages"])
    for stage, marker, (colour, dash) in zip(stages, MARKERS, SERIES, strict=False):
        of_stage = [result["stages"][stage] for result in results]
        line: Any = {"marker": marker, "linestyle": dash, "color": colour, "label": stage}
        each = [
            1e6 * one["cpu_seconds"] / count for one, count in zip(of_stage, counts, strict=True)
        ]
        times.plot(counts, each, **line)
        # Snakemake does not see the memory of jobs that take less than a moment.
        memory.plot(counts, [one["peak_mib"] or float("nan") for one in of_stage], **line)
    reading = [result["reading"]["peak_mib"] for result in results]
    memory.plot(counts, reading, marker="x", color=INK, label="reading")
    _logarithmic(times, counts, "structures", "processor time of a structure, µs")
    _logarithmic(memory, counts, "structures", "peak memory of a job, MiB")
    return figure


def _grid(count: int, columns: int, height: float, sharey: bool = False) -> tuple[Figure, Any]:
    """So many panels of a height in inches, and a figure for them."""
    columns = min(columns, count)
    n_rows = -(-count // columns)
    figure = Figure(figsize=(3.4 * columns + (1.5 if sharey else 0.0), height * n_rows))
    panels = figure.subplots(n_rows, columns, squeeze=False, sharey=sharey).ravel()
    for empty in panels[count:]:
        empty.set_axis_off()
    return figure, panels[:count]


def _logarithmic(panel: Axes, sizes: list[float], xlabel: str, ylabel: str) -> None:
    panel.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    labels = [f"{size:g}" if size < 100 else thousands(size) for size in sizes]
    panel.set_xticks(sizes, labels, fontsize="small")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    _plain_numbers(panel.yaxis)
    panel.legend(fontsize="small")


def _plain_numbers(axis: Any) -> None:
    """No powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


DRAWINGS: dict[str, Callable[[Figures], Figure | None]] = {
    "models*": _ratios,
    "sizes*": _ratios,
    "training-*": _errors,
    "data*": _rates,
    "inference*": _steps,
    "active-learning*": _learned,
    "finetuning*": _learned,
    "evaluation*": _seconds,
    "scaling*": _exponents,
    "million*": _growth,
}
"""How results are drawn, by patterns of the names of their files."""


def main() -> None:
    """Draw all results again, without measuring."""
    for figures in sorted(RESULTS.glob("*.json")):
        add_plot(figures)


if __name__ == "__main__":
    main()
