"""What the checks look at: some structures of a dataset, and how near its atoms come."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.data import chemical_symbols

from mlip_core.data.frames import read_frames
from mlip_core.data.helpers.neighborhood import get_pairs
from mlip_core.physics.config import StructuresConfig
from mlip_core.physics.relaxing import bare_copy, relax
from mlip_core.reference import write_extxyz
from mlip_core.utils.files import write_json

Measurements = Mapping[str, Any]
"""What a check measured with the reference calculator, as JSON values by name of the structure."""

_NAME = "structure"
_IS_MINIMUM = "reference_minimum"


@dataclass(frozen=True)
class Subject:
    """What the checks look at.

    Attributes:
        structures: without calculators; their names are given by :func:`name_of`.
        elements: symbols of the elements of the training set, in alphabetical order.
        shortest_distances: Å, of each pair of elements that the training set has within the cutoff;
            names of pairs are those of :func:`pairs_of`.
        cutoff: Å.
        reference: what the same check measured with the reference calculator; empty without one.
    """

    structures: Sequence[Atoms]
    elements: Sequence[str] = ()
    shortest_distances: Mapping[str, float] = field(default_factory=dict)
    cutoff: float = 5.0
    reference: Measurements = field(default_factory=dict)


def name_of(atoms: Atoms) -> str:
    """The name of a structure: given, or else its formula."""
    return str(atoms.info.get(_NAME) or atoms.get_chemical_formula())


def is_reference_minimum(atoms: Atoms) -> bool:
    """Whether a structure was relaxed by the reference calculator."""
    return bool(atoms.info.get(_IS_MINIMUM))


def pairs_of(elements: Sequence[str]) -> dict[str, tuple[str, str]]:
    """All pairs of elements by name, e.g. ``{"C-H": ("C", "H")}``."""
    return {f"{a}-{b}": (a, b) for a, b in combinations_with_replacement(elements, 2)}


def named(structures: Iterable[Atoms]) -> list[Atoms]:
    """Bare copies of structures, with names of their own."""
    copies: list[Atoms] = []
    for atoms in structures:
        formula = atoms.get_chemical_formula()
        same = sum(copy.get_chemical_formula() == formula for copy in copies)
        name = f"{formula} ({same + 1})" if same else formula
        copies.append(bare_copy(atoms, {_NAME: name}))
    return copies


def relaxed_structures(
    structures: Iterable[Atoms], calculator: BaseCalculator, config: StructuresConfig
) -> Iterator[Atoms]:
    """The reference minima; a structure whose relaxation does not end is left as it is.

    Raises:
        UserError: if the calculator fails.
    """
    for atoms in structures:
        relaxed = relax(
            atoms, calculator, config.relax_max_force_ev_per_angstrom, config.relax_max_steps
        )
        if relaxed.converged:
            yield bare_copy(relaxed.atoms, atoms.info | {_IS_MINIMUM: True})
        else:
            yield atoms


def measure_distances(
    structures: Iterable[Atoms], cutoff: float
) -> tuple[list[str], dict[str, float]]:
    """Elements of some structures, and the shortest distance (Å) of each pair within the cutoff."""
    size = len(chemical_symbols)
    shortest = np.full((size, size), np.inf)
    present = np.zeros(size, dtype=bool)
    for atoms in structures:
        present[atoms.numbers] = True
        pairs = get_pairs(atoms.positions, cutoff, tuple(atoms.pbc), atoms.cell.array)
        ends = atoms.numbers[pairs.first], atoms.numbers[pairs.second]
        np.minimum.at(shortest, ends, pairs.distances)
    shortest = np.minimum(shortest, shortest.T)
    elements = sorted(chemical_symbols[number] for number in np.flatnonzero(present))
    distances = {
        name: float(shortest[chemical_symbols.index(a), chemical_symbols.index(b)])
        for name, (a, b) in pairs_of(elements).items()
    }
    return elements, {name: value for name, value in distances.items() if np.isfinite(value)}


def write_subject(structures_path: str, distances_path: str, subject: Subject) -> None:
    """Write the structures as extended XYZ and all else but the reference as JSON."""
    write_extxyz(structures_path, subject.structures)
    content = {
        "elements": list(subject.elements),
        "cutoff_angstrom": subject.cutoff,
        "shortest_distances_angstrom": dict(subject.shortest_distances),
    }
    write_json(distances_path, content)


def read_subject(
    structures_path: str | os.PathLike[str],
    distances_path: str | os.PathLike[str],
    reference_path: str | os.PathLike[str] | None = None,
) -> Subject:
    """Read what :func:`write_subject` wrote, and the reference's measurements."""
    content = json.loads(Path(distances_path).read_text(encoding="utf-8"))
    reference = Path(reference_path).read_text(encoding="utf-8") if reference_path else "{}"
    return Subject(
        structures=[frame.atoms for frame in read_frames(structures_path, require=())],
        elements=content["elements"],
        shortest_distances=content["shortest_distances_angstrom"],
        cutoff=content["cutoff_angstrom"],
        reference=json.loads(reference),
    )
