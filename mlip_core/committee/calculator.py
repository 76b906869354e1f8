"""A committee as an ASE calculator."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlip_core.committee.predictions import load_committee
from mlip_core.committee.statistics import mean_and_spread
from mlip_core.models.force_field import ForceField
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder

_QUANTITIES = ("energy", "energies", "forces", "stress")


class CommitteeCalculator(Calculator):
    """The mean of several models, and how far they are from each other.

    ``atoms.calc = CommitteeCalculator(["a.zip", "b.zip", "c.zip"])``

    Results are those of :class:`~mlip_core.ForceFieldCalculator`, averaged over the members, and
    for each a standard deviation (unbiased variance) in the same shape and unit: ``energy_spread``,
    ``energies_spread`` (per-atom energies), ``forces_spread``, ``stress_spread``. Members that
    differ in parameters only are evaluated at once by one compiled program.

    Args:
        models: paths of model zips, or force fields; at least two.
        edge_capacity_multiplier: head-room for edges before a model is compiled anew.

    Raises:
        UserError: if there are fewer than two, or a file is not a model zip.
    """

    implemented_properties = [  # noqa: RUF012 (ASE's)
        "free_energy",
        *_QUANTITIES,
        *(f"{name}_spread" for name in _QUANTITIES),
    ]

    def __init__(
        self,
        models: Sequence[str | os.PathLike[str] | ForceField],
        edge_capacity_multiplier: float = 1.25,
    ) -> None:
        super().__init__()
        alike: dict[int, list[ForceField]] = {}
        for member in load_committee(models):
            alike.setdefault(id(member.predictor), []).append(member)
        self._groups = [_Group(members, edge_capacity_multiplier) for members in alike.values()]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill ``results``: eV, eV/Å and, for periodic structures, eV/Å³.

        Raises:
            UserError: if a member does not know an element.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        predicted = [group.predict(self.atoms) for group in self._groups]
        self.results = {}
        for name in predicted[0]:
            mean, spread = mean_and_spread(np.concatenate([each[name] for each in predicted]))
            self.results[name] = mean if mean.ndim else float(mean)
            self.results[f"{name}_spread"] = spread if spread.ndim else float(spread)
        self.results["free_energy"] = self.results["energy"]


class _Group:
    """Members that differ in parameters only."""

    def __init__(self, members: Sequence[ForceField], edge_capacity_multiplier: float) -> None:
        first = members[0]
        network = first.predictor.mlip_network
        self._elements = sorted(first.allowed_atomic_numbers)
        self._atomic_energies = np.asarray(network.atomic_energies())
        self._builder = PaddedGraphBuilder(
            elements=self._elements,
            cutoff=first.cutoff_distance,
            edge_capacity_multiplier=edge_capacity_multiplier,
        )
        self._params = jax.tree.map(
            lambda *leaves: jnp.stack(leaves), *(member.params for member in members)
        )
        predictor = ForceFieldPredictor(network, predict_stress=True)
        self._predict = jax.jit(jax.vmap(predictor.apply, in_axes=(0, None)))

    def predict(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """Each member's results by their names, ``[n_members, ...]``, in float64."""
        found: Any = self._predict(self._params, self._builder.build(atoms))
        atomic_energies = self._atomic_energies[np.searchsorted(self._elements, atoms.numbers)]
        node_energies = np.asarray(found.node_energies, np.float64)[:, : len(atoms)]
        energies = atomic_energies + node_energies
        results = {
            "energy": energies.sum(axis=1),
            "energies": energies,
            "forces": np.asarray(found.forces, np.float64)[:, : len(atoms)],
        }
        if atoms.pbc.all():
            stress = np.asarray(found.stress, np.float64)[:, 0]
            results["stress"] = np.array([full_3x3_to_voigt_6_stress(each) for each in stress])
        return results
