"""The report's plots: one panel each, so that a narrow window can put them under one another."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mlip_core.report.figure_files import BLUE, FAINT, INK, SERIES, VERMILION, style

_MANY_POINTS = 1000
_P = ParamSpec("_P")


def _styled(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    @wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return drawn


@_styled
def learning_curve(curves: Mapping[str, pd.Series], ylabel: str) -> Figure:
    """Values by epoch (the index) on a logarithmic axis, one line per curve."""
    figure, axes = _axes(width=4.0, height=3.1)
    for index, (label, values) in enumerate(curves.items()):
        # Validation looks the same where there is no training curve beside it.
        color, dash = SERIES[1] if label == "validation" else SERIES[index % len(SERIES)]
        axes.plot(values.index, values.to_numpy(), dash, color=color, label=label)
    _epochs_and_log_values(axes, curves, ylabel)
    axes.legend()
    return figure


@_styled
def many_learning_curves(
    curves: Mapping[str, pd.Series], ylabel: str, highlighted: Sequence[str]
) -> Figure:
    """As :func:`learning_curve`, some of the curves highlighted before the grey rest."""
    figure, axes = _axes(width=5.4, height=3.6)
    first = True
    for label, values in curves.items():
        if label not in highlighted:
            name = "other runs" if first else None
            axes.plot(values.index, values.to_numpy(), color="#c4c4c4", linewidth=0.8, label=name)
            first = False
    shown = [label for label in highlighted if label in curves]
    for label, (color, dash) in zip(shown, _cycle(len(shown)), strict=True):
        values = curves[label]
        axes.plot(values.index, values.to_numpy(), dash, color=color, label=_short(label))
    _epochs_and_log_values(axes, curves, ylabel)
    axes.legend(fontsize=8.5)
    return figure


def _epochs_and_log_values(axes: Axes, curves: Mapping[str, pd.Series], ylabel: str) -> None:
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if all((values > 0).all() for values in curves.values()):
        _logarithmic(axes, "y")


@_styled
def parity(reference: np.ndarray, predicted: np.ndarray, quantity: str, note: str) -> Figure:
    """Predicted against reference values with the diagonal; density where points are many."""
    figure, axes = _axes(width=4.4, height=4.2)
    low, high = _padded_range(np.concatenate([reference.ravel(), predicted.ravel()]))
    axes.plot([low, high], [low, high], color=FAINT, linewidth=1.0, zorder=3)
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
    axes.set_title(note, loc="left", fontsize=9, color=INK)
    return figure


@_styled
def error_histogram(errors: np.ndarray, quantity: str) -> Figure:
    """Distribution of ``predicted - reference``; counts on a logarithmic axis if there are many."""
    figure, axes = _axes(width=4.4, height=4.2)
    limit = float(np.abs(errors).max()) or 1.0
    n_bins = int(np.clip(np.sqrt(errors.size), 11, 81)) | 1  # odd: one bin is centred on zero
    axes.hist(errors.ravel(), bins=np.linspace(-limit, limit, n_bins + 1).tolist(), color=BLUE)
    if errors.size > _MANY_POINTS:
        _logarithmic(axes, "y")
    rmse = float(np.sqrt(np.mean(errors**2)))
    for sign in (-1.0, 1.0):
        label = "± RMSE" if sign > 0 else None
        axes.axvline(sign * rmse, color=VERMILION, linestyle="--", linewidth=1.2, label=label)
    axes.set(xlabel=f"error of {quantity}", ylabel="count")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    return figure


@_styled
def errors_by_group(
    groups: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    xlabel: str,
) -> Figure:
    """One point per group from top to bottom, with its confidence interval if it has one."""
    figure, axes = _axes(width=4.6, height=0.9 + 0.28 * max(len(groups), 2))
    rows = np.arange(len(groups))
    for row, interval in zip(rows, intervals, strict=True):
        if interval is not None:
            axes.plot(interval, [row, row], color=BLUE, linewidth=1.4, solid_capstyle="butt")
    axes.scatter(values, rows, color=BLUE, s=22, zorder=3)
    axes.set_yticks(rows, [_short(group) for group in groups])
    axes.set(xlabel=xlabel, ylim=(len(groups) - 0.5, -0.5))
    axes.set_xlim(left=0.0)
    axes.grid(visible=False, axis="y")
    return figure


@_styled
def traces(series: Mapping[str, tuple[np.ndarray, np.ndarray]], xlabel: str, ylabel: str) -> Figure:
    """Lines of ``y`` over ``x`` by name, points marked where they are few."""
    figure, axes = _axes(width=4.8, height=3.4)
    for (name, (x, y)), (color, dash) in zip(series.items(), _cycle(len(series)), strict=True):
        marker = "o" if x.size <= 24 else None
        width = 0.9 if x.size > 400 else 1.5
        axes.plot(x, y, dash, color=color, linewidth=width, marker=marker, ms=3.5, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if len(series) > 1:
        axes.legend(fontsize=8, ncols=1 if len(series) <= 6 else 2)
    return figure


@_styled
def scaling(x: np.ndarray, y: np.ndarray, xlabel: str, ylabel: str) -> Figure:
    """``y`` over ``x`` on logarithmic axes, and the line through the last point of slope 1."""
    figure, axes = _axes(width=4.8, height=3.4)
    axes.plot(x, x * (y[-1] / x[-1]), color=FAINT, linewidth=1.0)
    axes.plot(x, y, color=BLUE, marker="o", ms=4)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _logarithmic(axes, "x")
    _logarithmic(axes, "y")
    return figure


@_styled
def front(
    x: np.ndarray,
    y: np.ndarray,
    optimal: np.ndarray,
    hollow: np.ndarray,
    square: np.ndarray,
    names: Mapping[int, str],
    labels: tuple[str, str],
) -> Figure:
    """Points, smaller is better in both; the optimal ones joined by a line.

    Args:
        x: ``[n]``.
        y: ``[n]``.
        optimal: mask of the points that the line joins.
        hollow: mask of the points drawn hollow.
        square: mask of the points drawn as squares.
        names: of some points, by their index.
        labels: of the axes.
    """
    figure, axes = _axes(width=6.2, height=3.9)
    order = np.flatnonzero(optimal)[np.argsort(x[optimal], kind="stable")]
    axes.plot(x[order], y[order], color=FAINT, linewidth=1.0, drawstyle="steps-post", zorder=1)
    for is_square in (False, True):
        for is_hollow in (False, True):
            chosen = (square == is_square) & (hollow == is_hollow)
            colors = [VERMILION if best else BLUE for best in optimal[chosen]]
            axes.scatter(
                x[chosen],
                y[chosen],
                marker="s" if is_square else "o",
                s=30,
                facecolors="none" if is_hollow else colors,
                edgecolors=colors,
            )
    for index, name in names.items():
        place = (x[index], y[index])
        axes.annotate(_short(name), place, (5, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.margins(x=0.12, y=0.12)
    for which in ("x", "y"):
        _logarithmic(axes, which)
    return figure


@_styled
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


@_styled
def bars(values: Mapping[str, float], xlabel: str) -> Figure:
    """One horizontal bar per name."""
    figure, axes = _axes(width=4.8, height=0.9 + 0.26 * max(len(values), 3))
    axes.barh(range(len(values)), list(values.values()), color=BLUE, height=0.7)
    axes.set_yticks(range(len(values)), [_short(name) for name in values])
    axes.set(xlabel=xlabel, ylim=(len(values) - 0.5, -0.5))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(visible=False, axis="y")
    return figure


@_styled
def sizes(counts: Mapping[str, np.ndarray]) -> Figure:
    """Structures by their number of atoms, one outline per group."""
    figure, axes = _axes()
    pooled = np.concatenate(list(counts.values()))
    width = max(1, -(-int(pooled.max() - pooled.min() + 1) // 40))
    bins = np.arange(pooled.min() - 0.5, pooled.max() + width + 0.5, width)
    for (label, group), (color, dash) in zip(counts.items(), _cycle(len(counts)), strict=True):
        heights, edges = np.histogram(group, bins)
        axes.stairs(heights, edges, color=color, linestyle=dash, linewidth=1.6, label=label)
    axes.set(xlabel="atoms in a structure", ylabel="structures")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _axes(width: float = 4.8, height: float = 3.4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _cycle(count: int) -> Sequence[tuple[str, str]]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def _short(name: str, length: int = 36) -> str:
    """A name that leaves room for the plot; its middle says least."""
    if len(name) <= length:
        return name
    return f"{name[: length // 2]}…{name[-(length // 2 - 1) :]}"


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
    inset.xaxis.set_minor_formatter(NullFormatter())
    colorbar.outline.set_visible(False)


def _logarithmic(axes: Axes, which: str) -> None:
    """0.01, 0.1, 1 instead of powers; with minor labels where less than two decades are shown."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    minor = np.log10(high / low) < 2.2
    formatter = FuncFormatter(lambda value, _: f"{value:g}")
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(formatter if minor else NullFormatter())
    if minor:
        axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
