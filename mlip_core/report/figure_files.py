"""Figures as files: SVG for the page, PNG for a talk, and the caption for Snakemake's report.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers
can tell apart; lines differ in dash as well. The same numbers give the same bytes.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from mlip_core.utils.files import atomic_path, write_text

BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
)
INK, FAINT = "#333333", "#8a8a8a"
SERIES = [(BLUE, "-"), (VERMILION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, "-"), (SKY, "--")]
"""Colour and dash of the first series, the second and so on."""

_STYLE: Any = {
    "svg.hashsalt": "mlip_core",
    # Names from files are text: a dollar sign in one begins no formula.
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}
# Matplotlib writes the date and its version by default.
_METADATA = {"svg": {"Date": None, "Creator": "mlip_core"}, "png": {"Software": "mlip_core"}}


@contextmanager
def style() -> Iterator[None]:
    """The report's look, to draw and to write figures in."""
    with rc_context(_STYLE):
        yield


@dataclass(frozen=True)
class FigureFile:
    """A figure on a page.

    Attributes:
        svg: path of the drawing, relative to the report's folder.
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
    """Writes figures into ``<report>/figures/<folder>``."""

    def __init__(self, report: str | os.PathLike[str], folder: str) -> None:
        self._report = Path(report)
        self._folder = f"figures/{folder}"
        self._written: set[str] = set()
        (self._report / self._folder).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, figure: Figure, alt: str, caption: str) -> FigureFile:
        """Write one figure as ``<name>.svg`` and ``.png``, its caption as ``.rst``."""
        stem = f"{self._folder}/{name}"
        with style():
            # Lay out once for both files.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for suffix, metadata in _METADATA.items():
                with atomic_path(self._report / f"{stem}.{suffix}") as temporary:
                    figure.savefig(temporary, format=suffix, dpi=160, metadata=metadata)
        write_text(self._report / f"{stem}.rst", f"{_as_rst(caption)}\n")
        self._written |= {f"{name}.{suffix}" for suffix in ("svg", "png", "rst")}
        width, height = (round(96 * inches) for inches in figure.get_size_inches())
        return FigureFile(f"{stem}.svg", f"{stem}.png", alt, caption, width, height)

    def remove_others(self) -> None:
        """Remove figures of an earlier report that this one does not have."""
        for path in (self._report / self._folder).iterdir():
            if path.suffix in (".svg", ".png", ".rst") and path.name not in self._written:
                path.unlink()


def _as_rst(text: str) -> str:
    """A text that reStructuredText takes for one."""
    return re.sub(r"([\\*`|_<>\[\]:])", r"\\\1", " ".join(text.split()))
