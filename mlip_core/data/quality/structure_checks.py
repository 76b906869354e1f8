"""Checks of structures: copies, distances, pieces, cells, elements."""

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.frame_index import as_keys
from mlip_core.data.quality.config import QualityConfig
from mlip_core.data.quality.geometry import MAX_BOND
from mlip_core.data.quality.suspects import Found, Suspects, counted
from mlip_core.data.quality.table import FrameTable

# Copies whose labels differ by less come from the same calculation: eV, eV/Å, eV/Å³.
_SAME_ENERGY, _SAME_FORCES, _SAME_STRESS = 1e-3, 1e-2, 1e-4
# A composition says what is usual if it has so many frames, so many of which agree.
_ENOUGH_FRAMES = 10
_USUAL_SHARE = 0.9


# The shortest bonds, of N2 and CO, are 0.78 times the sum of the covalent radii.
_SHORTEST_BOND = 0.65


def check_duplicates(table: FrameTable, _config: QualityConfig) -> Found:
    """Structures that stand in the dataset more than once."""
    _, first, original = np.unique(
        as_keys(table.index.digest[table.row]), return_index=True, return_inverse=True
    )
    original = first[original]
    copies = original != np.arange(len(table))
    other_labels = copies & ~_same_labels(table, original)
    yield Suspects(
        "duplicates",
        copies & ~other_labels,
        f"{counted(copies & ~other_labels)} repeat the structure of an earlier one",
        "set check.actions.duplicates to drop; until then they stay in one split",
    )
    yield Suspects(
        "conflicting_duplicates",
        other_labels,
        f"{counted(other_labels)} repeat an earlier structure with other labels",
        "keep the right one; levels of theory are mixed, or calculations did not converge",
    )


def check_distances(table: FrameTable, config: QualityConfig) -> Found:
    """Atoms that are too near, alone, or pieces that are."""
    yield from _length_unit(table)
    near = table.smallest_distance < config.min_distance_angstrom
    yield Suspects(
        "close_atoms",
        near,
        f"{counted(near)} with two atoms nearer than {config.min_distance_angstrom:g} Å",
        "check labels.length_unit, or remove the frames",
    )
    gap = f"more than {config.max_gap_angstrom:g} Å from the rest"
    alone = (table.n_isolated > 0) & (table.n_atoms > 1)
    yield Suspects(
        "isolated_atoms",
        alone,
        f"{counted(alone)} with an atom {gap}",
        "a model does not see beyond its cutoff: remove frames that flew apart, or check the"
        " length unit, the cell and pbc",
    )
    apart = (table.n_parts > 1) & ~alone
    yield Suspects(
        "fragments",
        apart,
        f"{counted(apart)} with a piece {gap}",
        "a model does not see beyond its cutoff: remove frames that flew apart, or check the"
        " cell and pbc",
    )
    broken = _unusual_pieces(table) & (table.n_parts == 1)
    yield Suspects(
        "broken_bonds",
        broken,
        f"{counted(broken)} in pieces although most of the same composition are in one",
        "remove them unless reactions are wanted",
    )


def check_cells(table: FrameTable, config: QualityConfig) -> Found:
    """Cells that no crystal has."""
    thin = table.cell_height < config.min_cell_height_angstrom
    yield Suspects(
        "cells",
        thin,
        f"{counted(thin)} with a cell thinner than {config.min_cell_height_angstrom:g} Å",
        "check labels.length_unit and the cell",
    )
    left_handed = table.volume < 0
    yield Suspects(
        "cells",
        left_handed,
        f"{counted(left_handed)} with a left-handed cell",
        "harmless here, but some programs refuse it: exchange two cell vectors",
    )


def check_elements(table: FrameTable, config: QualityConfig) -> Found:
    """Elements that occur in few frames."""
    for z, count in table.frames_per_element().items():
        if count < config.min_frames_per_element:
            which = table.index.compositions[:, [z]].toarray()[table.composition, 0] > 0
            yield Suspects(
                "rare_elements",
                which,
                f"{chemical_symbols[z]} occurs in only {counted(which)}",
                "add frames with it, or leave it out",
            )


def _same_labels(table: FrameTable, original: np.ndarray) -> np.ndarray:
    """Which rows have labels that do not contradict those of the rows ``original``."""
    values = (
        (table.index.energy[table.row], _SAME_ENERGY),
        (table.force_rms, _SAME_FORCES),
        (table.force_mark, _SAME_FORCES),
        (table.pressure, _SAME_STRESS),
        (table.largest_stress, _SAME_STRESS),
    )
    # A label that one of them lacks is NaN, and compares false.
    return ~np.any([np.abs(v - v[original]) > tolerance for v, tolerance in values], axis=0)


def _length_unit(table: FrameTable) -> Found:
    """Distances that are too short, or too long, throughout."""
    several = table.n_atoms > 1
    shortest = np.median(table.shortest_bond[several]) if several.any() else 1.0
    if not _SHORTEST_BOND <= shortest <= MAX_BOND:
        how = "closer" if shortest < 1 else "farther apart"
        yield Suspects(
            "lengths",
            several,
            f"in most frames the nearest atoms are much {how} than bonds are long",
            "check labels.length_unit (noble gases are right to be far apart)",
        )


def _unusual_pieces(table: FrameTable) -> np.ndarray:
    """Frames in several pieces whose composition is nearly always in one."""
    whole = table.n_pieces == 1
    n_compositions = table.index.compositions.shape[0]
    n_frames = np.bincount(table.composition, minlength=n_compositions)
    n_whole = np.bincount(table.composition, weights=whole, minlength=n_compositions)
    usual = (n_frames >= _ENOUGH_FRAMES) & (n_whole >= _USUAL_SHARE * n_frames)
    return ~whole & usual[table.composition]
