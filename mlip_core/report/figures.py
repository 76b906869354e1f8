"""The report's figures: one panel each, so that a narrow window can put them under one another.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers
can tell apart; lines differ in dash as well. The same numbers give the same bytes.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mlip_core.utils.files import atomic_path

BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
)
_INK, _FAINT = "#333333", "#8a8a8a"
_SERIES = [(BLUE, "-"), (VERMILION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, "-"), (SKY, "--")]
_MANY_POINTS = 1000
_STYLE: Any = {
    "svg.hashsalt": "mlip_core",
    "font.size": 9.5,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class FigureFile:
    """A figure on the page.

    Attributes:
        svg: path of the drawing, relative to the page.
        png: path of the same as a bitmap.
        alt: what it shows, for who does not see it.
        caption: what to read from it.
        width: of the drawing, in CSS pixels.
        height: the same.
    """

    svg: str
    png: str
    alt: str
    caption: str
    width: int
    height: int


class FigureWriter:
    """Writes figures as SVG and PNG into ``<directory>/figures``."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        self._written: set[Path] = set()

    def write(self, name: str, figure: Figure, alt: str, caption: str) -> FigureFile:
        """Write one figure under ``name``."""
        paths = {suffix: f"figures/{name}.{suffix}" for suffix in ("svg", "png")}
        with rc_context(_STYLE):
            # Lay out once for both files.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for suffix, path in paths.items():
                with atomic_path(self._directory / path) as temporary:
                    figure.savefig(temporary, format=suffix, dpi=200, metadata=_METADATA[suffix])
                self._written.add(self._directory / path)
        width, height = (round(96 * inches) for inches in figure.get_size_inches())
        return FigureFile(paths["svg"], paths["png"], alt, caption, width, height)

    def remove_others(self) -> None:
        """Remove figures of an earlier report that this one does not have."""
        for suffix in ("svg", "png"):
            for path in set((self._directory / "figures").glob(f"*.{suffix}")) - self._written:
                path.unlink()


# Matplotlib writes the date and its version by default.
_METADATA = {"svg": {"Date": None, "Creator": "mlip_core"}, "png": {"Software": "mlip_core"}}


@rc_context(_STYLE)
def learning_curve(curves: Mapping[str, pd.Series], ylabel: str) -> Figure:
    """Values by epoch (the index) on a logarithmic axis, one line per curve."""
    figure, axes = _axes(width=4.0, height=3.1)
    for index, (label, values) in enumerate(curves.items()):
        # Validation looks the same where there is no training curve beside it.
        color, dash = _SERIES[1] if label == "validation" else _SERIES[index % len(_SERIES)]
        axes.plot(values.index, values.to_numpy(), dash, color=color, label=label)
    if all((values > 0).all() for values in curves.values()):
        axes.set_yscale("log")
        _plain_log_labels(axes)
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


@rc_context(_STYLE)
def parity(reference: np.ndarray, predicted: np.ndarray, quantity: str, note: str) -> Figure:
    """Predicted against reference values with the diagonal; density where points are many."""
    figure, axes = _axes(width=4.4, height=4.2)
    low, high = _padded_range(np.concatenate([reference.ravel(), predicted.ravel()]))
    axes.plot([low, high], [low, high], color=_FAINT, linewidth=1.0, zorder=3)
    if reference.size > _MANY_POINTS:
        _density(axes, reference.ravel(), predicted.ravel(), (low, high))
    else:
        axes.scatter(reference.ravel(), predicted.ravel(), s=12, color=BLUE, alpha=0.5, lw=0)
    axes.set(
        xlabel=f"reference {quantity}",
        ylabel=f"predicted {quantity}",
        xlim=(low, high),
        ylim=(low, high),
        aspect="equal",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6))
    axes.set_title(note, loc="left", fontsize=9, color=_INK)
    return figure


@rc_context(_STYLE)
def error_histogram(errors: np.ndarray, quantity: str) -> Figure:
    """Distribution of ``predicted - reference``; counts on a logarithmic axis if there are many."""
    figure, axes = _axes(width=4.4, height=4.2)
    limit = float(np.abs(errors).max()) or 1.0
    n_bins = int(np.clip(np.sqrt(errors.size), 11, 81)) | 1  # odd: one bin is centred on zero
    axes.hist(errors.ravel(), bins=np.linspace(-limit, limit, n_bins + 1).tolist(), color=BLUE)
    if errors.size > _MANY_POINTS:
        axes.set_yscale("log")
        _plain_log_labels(axes)
    rmse = float(np.sqrt(np.mean(errors**2)))
    for sign in (-1.0, 1.0):
        label = "± RMSE" if sign > 0 else None
        axes.axvline(sign * rmse, color=VERMILION, linestyle="--", linewidth=1.2, label=label)
    axes.set(xlabel=f"error of {quantity}", ylabel="count")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    return figure


@rc_context(_STYLE)
def energy_trace(time_ps: np.ndarray, energy_mev: np.ndarray, limit_mev: float) -> Figure:
    """Total energy against time with its least-squares line and the limit of the drift."""
    figure, axes = _axes()
    axes.axhspan(-limit_mev, limit_mev, color="#f0f0f0", zorder=0, label=f"± {limit_mev:g} limit")
    axes.plot(time_ps, energy_mev, color=BLUE, linewidth=0.9, label="total energy")
    if len(time_ps) > 1:
        line = np.polyval(np.polyfit(time_ps, energy_mev, 1), time_ps)
        axes.plot(time_ps, line, "--", color=VERMILION, label="linear fit")
    axes.set(xlabel="time (ps)", ylabel="E(t) − E(0)  (meV/atom)", xlim=(time_ps[0], time_ps[-1]))
    axes.legend(loc="upper right", ncols=3, fontsize=8)
    _headroom(axes)
    return figure


@rc_context(_STYLE)
def temperature_trace(time_ps: np.ndarray, temperature: np.ndarray, target: float) -> Figure:
    """Temperature against time with the configured one."""
    figure, axes = _axes()
    axes.plot(time_ps, temperature, color=BLUE, linewidth=0.9, label="temperature")
    axes.axhline(target, color=VERMILION, linestyle="--", linewidth=1.2, label=f"{target:g} K")
    axes.set(xlabel="time (ps)", ylabel="temperature (K)", xlim=(time_ps[0], time_ps[-1]))
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="upper right", ncols=2, fontsize=8)
    _headroom(axes)
    return figure


@rc_context(_STYLE)
def distribution(values: Mapping[str, np.ndarray], xlabel: str) -> Figure:
    """Densities of one quantity, one outline per group; each has area 1."""
    figure, axes = _axes()
    pooled = np.concatenate(list(values.values()))
    # Rice's rule for the middle one of the groups.
    n_bins = round(2 * float(np.median([group.size for group in values.values()])) ** (1 / 3))
    low, high = _padded_range(pooled)
    bins = np.linspace(max(low, 0.0) if pooled.min() >= 0.0 else low, high, max(n_bins, 8) + 1)
    for (label, group), (color, dash) in zip(values.items(), _cycle(len(values)), strict=True):
        axes.hist(
            group,
            bins=list(bins),
            density=True,
            histtype="step",
            linewidth=1.6,
            linestyle=dash,
            color=color,
            label=f"{label} ({group.size:,})",
        )
    axes.set(xlabel=xlabel, ylabel="density")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.legend()
    return figure


def _axes(width: float = 4.8, height: float = 3.4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _cycle(count: int) -> Sequence[tuple[str, str]]:
    return [_SERIES[i % len(_SERIES)] for i in range(count)]


def _padded_range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _density(axes: Axes, x: np.ndarray, y: np.ndarray, limits: tuple[float, float]) -> None:
    drawn = axes.hexbin(
        x,
        y,
        gridsize=70,
        extent=(*limits, *limits),
        bins="log",
        cmap="viridis_r",
        mincnt=1,
        linewidths=0.1,
    )
    # Below the diagonal at the right there are no points.
    inset = axes.inset_axes((0.55, 0.12, 0.4, 0.03))
    colorbar = axes.figure.colorbar(drawn, cax=inset, orientation="horizontal", format="%g")
    colorbar.set_label("points per cell", fontsize=8.5)
    inset.tick_params(labelsize=8.5)
    colorbar.outline.set_visible(False)


def _headroom(axes: Axes) -> None:
    """Room above the curve for the legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))


def _plain_log_labels(axes: Axes) -> None:
    """0.01, 0.1, 1 instead of powers; with minor labels where less than two decades are shown."""
    low, high = axes.get_ylim()
    minor = np.log10(high / low) < 2.2
    formatter = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(formatter)
    axes.yaxis.set_minor_formatter(formatter if minor else NullFormatter())
    if minor:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
