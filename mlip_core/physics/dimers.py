"""Energy of two atoms against their distance: potentials must not have holes where atoms are near.

Training sets hold no structures with atoms on top of each other, so nothing tells a potential that
they repel. In dynamics at high temperature, or from a poor start, atoms fall into such a hole.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, CalculatorError
from ase.data import atomic_numbers, covalent_radii

from mlip_core.physics.config import DimersConfig
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Subject, pairs_of

_PLOTS = (
    Plot(
        title="Energy of two atoms",
        x="distance_angstrom",
        y=["energy_ev"],
        x_label="Distance, Å",
        y_label="Energy - that at the largest distance, eV",
        group="pair",
    ),
)


def check_dimers(
    calculator: BaseCalculator, subject: Subject, config: DimersConfig, seed: int
) -> CheckResult:
    """Compute the curve of each pair of elements and look for holes.

    Distances at which the calculator itself says that it fails are left out.
    """
    del seed
    pairs = pairs_of(subject.elements)
    curves = [
        _curve(calculator, name, _distances(pair, subject.cutoff, config.points))
        for name, pair in pairs.items()
    ]
    bonded = {
        name: shortest
        for name, shortest in subject.shortest_distances.items()
        if shortest < config.bond_factor * _sum_of_radii(pairs[name])
    }
    table = pd.concat(curves, ignore_index=True)
    nearest = table["pair"].map(bonded)
    distance = table["distance_angstrom"]
    table["judged"] = distance.between(config.judged_down_to * nearest, nearest)
    judged = {name: table[table["judged"] & (table["pair"] == name)] for name in bonded}
    return CheckResult(
        quantities=[
            *(_judge(name, curve, config) for name, curve in judged.items()),
            *_deepest(table[distance < table["pair"].map(subject.shortest_distances)]),
        ],
        table=table,
        plots=_PLOTS,
        note="" if bonded else "No two elements are bonded in the training set: none is judged.",
    )


def depth_of_hole(curve: pd.DataFrame) -> float:
    """By how much the energy falls at most while the distance shrinks, eV.

    0 if it only rises, or if there is no distance; NaN if an energy is not a number.

    Args:
        curve: with the columns ``distance_angstrom`` and ``energy_ev``.
    """
    inwards = curve.sort_values("distance_angstrom", ascending=False)["energy_ev"].to_numpy()
    return float((np.maximum.accumulate(inwards) - inwards).max(initial=0.0))


def _judge(pair: str, curve: pd.DataFrame, config: DimersConfig) -> Quantity:
    if curve.empty:
        return Quantity.shown(f"hole, {pair}", float("nan"), "eV")
    return Quantity.at_most(f"hole, {pair}", depth_of_hole(curve), config.max_hole_ev, "eV")


def _deepest(curves: pd.DataFrame) -> Iterator[Quantity]:
    """The deepest of the holes that are nearer than all distances of the training set."""
    depths = {str(pair): depth_of_hole(curve) for pair, curve in curves.groupby("pair")}
    if depths:
        pair = max(depths, key=lambda name: depths[name])
        yield Quantity.shown(f"deepest hole nearer than in training, {pair}", depths[pair], "eV")


def _distances(pair: tuple[str, str], cutoff: float, points: int) -> np.ndarray:
    """``[points]``, Å, denser where atoms are near."""
    return np.geomspace(0.5 * _sum_of_radii(pair), cutoff, points)


def _sum_of_radii(pair: tuple[str, str]) -> float:
    return float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair))


def _curve(calculator: BaseCalculator, name: str, distances: np.ndarray) -> pd.DataFrame:
    """Energies, eV, relative to that at the largest distance."""
    system = Atoms(name.split("-"), positions=np.zeros((2, 3)))
    system.calc = calculator
    rows: list[tuple[str, float, float]] = []
    for distance in distances:
        system.positions[1, 0] = distance
        with suppress(CalculatorError):
            rows.append((name, distance, float(system.get_potential_energy())))
    curve = pd.DataFrame(rows, columns=["pair", "distance_angstrom", "energy_ev"])
    # The free atoms, unless the calculator failed there.
    return curve.assign(energy_ev=curve["energy_ev"] - curve["energy_ev"].iloc[-1:].sum())
