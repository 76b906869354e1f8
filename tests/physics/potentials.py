"""Potentials with known answers, and some that are wrong on purpose."""

from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT


class Repulsion(Calculator):
    """A potential without a bound: atoms fly apart with a force that grows with the distance."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        assert self.atoms is not None
        positions = self.atoms.positions - self.atoms.positions.mean(axis=0)
        self.results = {"energy": -5.0 * float((positions**2).sum()), "forces": 10.0 * positions}


class FrictionEmt(EMT):
    """EMT whose forces do not belong to its energy: too strong by a factor."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        self.results["forces"] = self.results["forces"] * 1.05


class FieldEmt(EMT):
    """EMT in a field along x, which no structure turns with."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        assert self.atoms is not None
        arms = self.atoms.positions - self.atoms.positions.mean(axis=0)
        self.results["energy"] += 1e-3 * float((arms[:, 0] ** 2).sum())
        self.results["forces"] = self.results["forces"] - 2e-3 * arms * np.array([1.0, 0.0, 0.0])


class PairPotential(Calculator):
    """A molecule whose energy is the sum of a function of the distances.

    Args:
        energy: the function of the distance, eV; forces are its finite differences.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, energy: Any) -> None:
        super().__init__()
        self._energy = energy

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        assert self.atoms is not None
        first, second = np.triu_indices(len(self.atoms), k=1)
        vectors = self.atoms.positions[second] - self.atoms.positions[first]
        distances = np.linalg.norm(vectors, axis=1)
        step = 1e-5
        slopes = (self._energy(distances + step) - self._energy(distances - step)) / (2 * step)
        forces = np.zeros_like(self.atoms.positions)
        pulls = (slopes / distances)[:, None] * vectors
        np.add.at(forces, first, pulls)
        np.add.at(forces, second, -pulls)
        self.results = {"energy": float(self._energy(distances).sum()), "forces": forces}


def spring(constant: float, length: float) -> PairPotential:
    """A harmonic spring, eV/Å² and Å."""
    return PairPotential(lambda r: 0.5 * constant * (r - length) ** 2)


class SortedForces(EMT):
    """EMT that gives the forces of the atoms to their neighbours in the list."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        self.results["forces"] = np.roll(self.results["forces"], 1, axis=0)


class Undefined(EMT):
    """EMT whose forces are no numbers from the third call on."""

    calls = 0

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        self.calls += 1
        if self.calls > 2:
            self.results["forces"] = np.full_like(self.results["forces"], np.nan)
