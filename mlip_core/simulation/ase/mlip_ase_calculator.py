"""ASE calculators of trained force fields."""

import os
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlip_core.models.force_field import ForceField
from mlip_core.models.model_io import load_model
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder
from mlip_core.typing import Prediction


class MLIPForceFieldASECalculator(Calculator):
    """Energy, forces, stress and per-atom energies of a force field.

    Args:
        atoms: the structure to be calculated; others may follow if nodes are allowed to change.
        edge_capacity_multiplier: head-room for edges before the model is compiled anew.
        force_field: the model.
        allow_nodes_to_change: whether the number of atoms may change.
        node_capacity_multiplier: head-room for atoms before the model is compiled anew.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012 (ASE's)

    def __init__(
        self,
        atoms: Atoms,
        edge_capacity_multiplier: float,
        force_field: ForceField,
        allow_nodes_to_change: bool = False,
        node_capacity_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self._n_atoms = None if allow_nodes_to_change else len(atoms)
        self._with_stress = _predicting_stress(force_field)
        self._elements = sorted(force_field.allowed_atomic_numbers)
        self._atomic_energies = np.asarray(force_field.predictor.mlip_network.atomic_energies())
        self._builder = PaddedGraphBuilder(
            elements=self._elements,
            cutoff=force_field.cutoff_distance,
            edge_capacity_multiplier=edge_capacity_multiplier,
            node_capacity_multiplier=node_capacity_multiplier,
        )

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill ``results``: eV, eV/Å and, for periodic structures, eV/Å³.

        Raises:
            UserError: if the model does not know an element.
            ValueError: if the number of atoms changed and that was not allowed.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        if self._n_atoms not in (None, len(self.atoms)):
            raise ValueError(
                f"the calculator was made for {self._n_atoms} atoms and got {len(self.atoms)}; "
                "make it with allow_nodes_to_change=True"
            )
        prediction = self._with_stress(self._builder.build(self.atoms))
        self.results = self._as_results(self.atoms, prediction)

    def _as_results(self, atoms: Atoms, prediction: Prediction) -> dict[str, Any]:
        """Atomic energies are added in float64: the sum would lose digits in float32."""
        species = np.searchsorted(self._elements, atoms.numbers)
        node_energies = np.asarray(prediction.node_energies, np.float64)[: len(atoms)]
        energies = self._atomic_energies[species] + node_energies
        energy = float(energies.sum())
        results = {
            "energy": energy,
            "free_energy": energy,
            "energies": energies,
            "forces": np.asarray(prediction.forces, np.float64)[: len(atoms)],
        }
        if atoms.pbc.all():
            results["stress"] = full_3x3_to_voigt_6_stress(
                np.asarray(prediction.stress, np.float64)[0]
            )
        return results


class ForceFieldCalculator(MLIPForceFieldASECalculator):
    """A trained model as an ASE calculator, in one line.

    ``atoms.calc = ForceFieldCalculator("model.zip")``

    Args:
        model: the path of a model zip, or a force field.
        edge_capacity_multiplier: head-room for edges before the model is compiled anew.

    Raises:
        UserError: if the file is not a model zip.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | ForceField,
        edge_capacity_multiplier: float = 1.25,
    ) -> None:
        force_field = model if isinstance(model, ForceField) else load_model(model)
        super().__init__(Atoms(), edge_capacity_multiplier, force_field, allow_nodes_to_change=True)


def _predicting_stress(force_field: ForceField) -> ForceField:
    """The same model with stress, which costs next to nothing beside the forces."""
    if force_field.predictor.predict_stress:
        return force_field
    predictor = ForceFieldPredictor(force_field.predictor.mlip_network, predict_stress=True)
    return ForceField(predictor, force_field.params)
