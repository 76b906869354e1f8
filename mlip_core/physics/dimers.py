"""Energy of two atoms against their distance: potentials must not have holes where atoms are near.

Training sets hold no structures with atoms on top of each other, so nothing tells a potential that
they repel. In dynamics at high temperature, or from a poor start, atoms fall into such a hole.

What is judged are atoms in their structure, whose other atoms stay where they are. There the truth
is known: they repel. Two atoms alone may attract each other where they do not in a structure, since
they bind more closely: C₂ at 1.24 Å, and carbon in ethane at 1.53 Å. Their energies are shown only.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, CalculatorError
from ase.data import atomic_numbers, covalent_radii

from mlip_core.data.helpers.neighborhood import get_pairs
from mlip_core.physics.config import DimersConfig
from mlip_core.physics.relaxing import bare_copy
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Subject, name_of, pairs_of

# Where a curve ends: at this share of the sum of the covalent radii, if not before.
_NEAREST = 0.5

_PLOTS = (
    Plot(
        title="Energy of a structure in which two atoms are pressed together",
        x="distance_angstrom",
        y=["energy_ev"],
        x_label="Distance of the two, Å",
        y_label="Energy - that of the structure, eV",
        group="pair",
    ),
    Plot(
        title="Energy of two atoms alone (not judged)",
        x="distance_angstrom",
        y=["energy_alone_ev"],
        x_label="Distance, Å",
        y_label="Energy - that at the largest distance, eV",
        group="pair",
    ),
)


class Contact(NamedTuple):
    """Two atoms of a structure.

    Attributes:
        first: index of the one.
        second: index of the other.
        vector: ``[3]``, from the first to the second, or to its nearest image, Å.
    """

    first: int
    second: int
    vector: np.ndarray


def check_dimers(
    calculator: BaseCalculator, subject: Subject, config: DimersConfig, seed: int
) -> CheckResult:
    """Press the nearest two atoms of each pair of elements together, and look for holes.

    Distances at which the calculator itself says that it fails are left out.
    """
    del seed
    several, points = len(subject.structures) > 1, config.points
    pressed = {
        f"{pair}, {name_of(atoms)}" if several else pair: _energies(
            calculator, _pressed(atoms, contact, points), config.max_energy_ev
        )
        for atoms in subject.structures
        for pair, contact in nearest_contacts(atoms, subject.cutoff).items()
    }
    alone = {
        name: _energies(
            calculator, _alone(pair, subject.cutoff, config.points), config.max_energy_ev
        )
        for name, pair in pairs_of(subject.elements).items()
    }
    tables = [curve.assign(pair=label) for label, curve in pressed.items()]
    tables += [
        curve.rename(columns={"energy_ev": "energy_alone_ev"}).assign(pair=name)
        for name, curve in alone.items()
    ]
    return CheckResult(
        quantities=[_judge(label, curve, config) for label, curve in pressed.items()],
        table=pd.concat(tables, ignore_index=True),
        plots=_PLOTS,
    )


def _judge(pair: str, curve: pd.DataFrame, config: DimersConfig) -> Quantity:
    height = height_of_wall(curve["energy_ev"].to_numpy(), config.max_hole_ev)
    return Quantity.at_least(f"energy wall, {pair}", height, config.min_wall_ev, "eV")


def height_of_wall(energies: np.ndarray, max_hole: float) -> float:
    """The highest energy above the first before one that is lower by more than ``max_hole``, eV.

    NaN if an energy is not a number, or there is none.

    Args:
        energies: from the outside to the inside, eV.
        max_hole: eV.
    """
    if not len(energies) or not np.isfinite(energies).all():
        return float("nan")
    highest = np.maximum.accumulate(energies)
    holes = np.flatnonzero(highest - energies > max_hole)
    return float(highest[holes[0] if len(holes) else -1] - energies[0])


def nearest_contacts(atoms: Atoms, cutoff: float) -> dict[str, Contact]:
    """The nearest two atoms of each pair of elements within the cutoff, Å.

    An atom and its own image are none.
    """
    pairs = get_pairs(atoms.positions, cutoff, tuple(atoms.pbc), atoms.cell.array)
    contacts: dict[str, Contact] = {}
    for index in np.argsort(pairs.distances, kind="stable"):
        first, second = int(pairs.first[index]), int(pairs.second[index])
        name = "-".join(sorted([atoms.symbols[first], atoms.symbols[second]]))
        if first != second and name not in contacts:
            ends = atoms.positions[[first, second]]
            shift = pairs.images[index] @ atoms.cell.array
            contacts[name] = Contact(first, second, ends[1] + shift - ends[0])
    return contacts


def _pressed(atoms: Atoms, contact: Contact, points: int) -> Iterator[tuple[float, Atoms]]:
    """The structure as it is, then with the two atoms nearer and nearer to each other."""
    start = float(np.linalg.norm(contact.vector))
    ends = (atoms.symbols[contact.first], atoms.symbols[contact.second])
    for distance in np.geomspace(start, min(start, _nearest(ends)), points).tolist():
        system = bare_copy(atoms)
        step = 0.5 * (1.0 - distance / start) * contact.vector
        system.positions[contact.first] += step
        system.positions[contact.second] -= step
        yield distance, system


def _alone(pair: tuple[str, str], cutoff: float, points: int) -> Iterator[tuple[float, Atoms]]:
    """Two atoms, from the cutoff inwards."""
    for distance in np.geomspace(cutoff, _nearest(pair), points).tolist():
        yield distance, Atoms(pair, positions=[[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])


def _nearest(pair: tuple[str, str]) -> float:
    return _NEAREST * float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair))


def _energies(
    calculator: BaseCalculator, systems: Iterable[tuple[float, Atoms]], highest: float
) -> pd.DataFrame:
    """Energies, eV, above that of the first, up to one that is higher than ``highest``."""
    rows: list[tuple[float, float]] = []
    for distance, system in systems:
        system.calc = calculator
        with suppress(CalculatorError):
            rows.append((distance, float(system.get_potential_energy())))
            if rows[-1][1] - rows[0][1] > highest:
                break
    energies = pd.DataFrame(rows, columns=["distance_angstrom", "energy_ev"])
    return energies.assign(energy_ev=energies["energy_ev"] - energies["energy_ev"].iloc[:1].sum())
