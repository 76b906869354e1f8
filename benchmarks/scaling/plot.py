"""Times against sizes, both by logarithms."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from mlip_core.utils.files import atomic_path

MARKERS = ("o", "s")


def plot(found: dict[str, Any], tasks: dict[str, str], path: Path) -> None:
    """One panel for each axis, an SVG that depends on the figures alone.

    Args:
        found: of each axis its ``label``, ``rows`` and ``exponents``.
        tasks: names to show, by task.
        path: of the file.
    """
    # Without these each file would have its own date and identifiers.
    with rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none"}), atomic_path(path) as file:
        figure = Figure(figsize=(3.2 * len(found), 3.0), layout="constrained")
        panels = figure.subplots(1, len(found), squeeze=False)[0]
        for panel, axis in zip(panels, found.values(), strict=True):
            _draw(panel, axis, tasks)
        panels[0].set_ylabel("time of a step, ms")
        figure.savefig(file, format="svg", metadata={"Date": None})


def _draw(panel: Any, axis: dict[str, Any], tasks: dict[str, str]) -> None:
    sizes = [row["size"] for row in axis["rows"]]
    for (task, exponent), marker in zip(axis["exponents"].items(), MARKERS, strict=False):
        times = [1000 * row[task] for row in axis["rows"]]
        label = f"{tasks[task]}, exponent {exponent:.2f}"
        panel.loglog(sizes, times, marker=marker, label=label)
    panel.set_xlabel(axis["label"])
    panel.set_xticks(sizes, [f"{size:g}" for size in sizes])
    panel.minorticks_off()
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize="small")
