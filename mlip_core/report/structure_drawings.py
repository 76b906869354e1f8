"""Structures drawn as balls seen from where they are broadest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from mlip_core.report.figure_files import FAINT, INK, VERMILION, style

_MOST_ATOMS = 250
_BALL = 0.6  # of the covalent radius
_BOND = 1.2  # of the sum of two covalent radii: nearer atoms are joined by a stick
_CELL_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@dataclass(frozen=True)
class DrawnStructure:
    """A structure to be drawn.

    Attributes:
        atoms: the structure.
        title: above the drawing.
        marked: index of the atom that gets a ring, if any.
    """

    atoms: Atoms
    title: str
    marked: int | None = None


def draw_structures(structures: Sequence[DrawnStructure], columns: int = 5) -> Figure:
    """One panel for each structure; of large ones the surroundings of the marked atom."""
    rows = -(-len(structures) // columns)
    with style():
        figure = Figure(figsize=(2.1 * columns, 2.35 * rows))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, structure in zip(panels, structures, strict=False):
            _draw(axes, structure)
    return figure


def _draw(axes: Axes, structure: DrawnStructure) -> None:
    chosen = _nearest_atoms(structure)
    points = structure.atoms.positions[chosen]
    centre, view = _point_of_view(structure.atoms, points)
    seen = (points - centre) @ view
    radii = _BALL * covalent_radii[structure.atoms.numbers[chosen]]
    if chosen.size == len(structure.atoms):
        _draw_cell(axes, structure.atoms, centre, view)
    _draw_bonds(axes, seen, radii / _BALL)
    for i in np.argsort(seen[:, 2], kind="stable"):
        color = jmol_colors[structure.atoms.numbers[chosen[i]]]
        depth = 1.0 + _depth(seen[i, 2], seen[:, 2])
        ball = Circle((seen[i, 0], seen[i, 1]), radii[i], fc=color, ec=INK, lw=0.6, zorder=depth)
        axes.add_patch(ball)
        if chosen[i] == structure.marked:
            # The ring is seen also where other atoms hide the ball.
            axes.add_patch(Circle(ball.center, radii[i], fc="none", ec=VERMILION, lw=2.4, zorder=3))
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set_title(structure.title, fontsize=8.5, color=INK)


def _draw_bonds(axes: Axes, seen: np.ndarray, covalent: np.ndarray) -> None:
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    bound = distances < _BOND * (covalent[:, None] + covalent[None])
    for i, j in np.argwhere(np.triu(bound, k=1)):
        ends = seen[[i, j]]
        depth = 1.0 + _depth(ends[:, 2].min(), seen[:, 2])
        axes.plot(ends[:, 0], ends[:, 1], color=FAINT, linewidth=2.6, zorder=depth)


def _depth(height: float, heights: np.ndarray) -> float:
    """0 for what is farthest from the reader, 1 for what is nearest."""
    return float((height - heights.min()) / (np.ptp(heights) or 1.0))


def _nearest_atoms(structure: DrawnStructure) -> np.ndarray:
    """Indices of all atoms, or of those nearest to the marked one where there are many."""
    atoms = structure.atoms
    if len(atoms) <= _MOST_ATOMS:
        return np.arange(len(atoms))
    around = 0 if structure.marked is None else structure.marked
    distances = np.linalg.norm(atoms.positions - atoms.positions[around], axis=1)
    return np.sort(np.argsort(distances, kind="stable")[:_MOST_ATOMS])


def _point_of_view(atoms: Atoms, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre ``[3]`` and axes ``[3, 3]`` (columns: right, up, to the reader) of the view."""
    centre = points.mean(axis=0)
    if atoms.pbc.any():
        return centre, _slanted()
    # The eigenvalues ascend: the narrowest direction is looked along.
    _, axes = np.linalg.eigh(np.cov((points - centre).T, ddof=0) + 1e-9 * np.eye(3))
    axes = axes[:, ::-1]
    # Eigenvectors have no sign of their own.
    largest = np.abs(axes).argmax(axis=0)
    return centre, axes * np.sign(axes[largest, range(3)])


def _slanted() -> np.ndarray:
    """Along the third axis, turned a little so that rows of atoms do not hide one another."""
    x, y = np.radians([-12.0, 14.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    return about_x @ about_y


def _draw_cell(axes: Axes, atoms: Atoms, centre: np.ndarray, view: np.ndarray) -> None:
    if not atoms.pbc.any():
        return
    corners = (_CELL_CORNERS @ atoms.cell.array - centre) @ view
    for i, start in enumerate(_CELL_CORNERS):
        for j, end in enumerate(_CELL_CORNERS):
            if i < j and np.abs(start - end).sum() == 1:
                ends = corners[[i, j]]
                axes.plot(ends[:, 0], ends[:, 1], color=FAINT, linewidth=0.7, zorder=0)
