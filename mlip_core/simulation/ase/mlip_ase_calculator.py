"""ASE calculators of trained force fields."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import jax
import jraph
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlip_core.models.force_field import ForceField, Parameters
from mlip_core.models.model_io import load_model
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder, padded
from mlip_core.simulation.utils import variables_for
from mlip_core.simulation.verlet_list import Geometry, VerletList
from mlip_core.typing import Prediction
from mlip_core.utils.errors import UserError
from mlip_core.utils.garbage import collector_paused

Evaluate = Callable[[Parameters, jraph.GraphsTuple, np.ndarray], Prediction]


class MLIPForceFieldASECalculator(Calculator):
    """Energy, forces, stress and per-atom energies of a force field.

    The stress is that of a structure periodic in three directions; others have no volume. It is
    computed from when it is first asked for.

    Args:
        atoms: the structure to be calculated; others may follow if nodes are allowed to change.
        edge_capacity_multiplier: head-room for edges before the model is compiled anew.
        force_field: the model.
        allow_nodes_to_change: whether the number of atoms may change.
        node_capacity_multiplier: head-room for atoms before the model is compiled anew.
        dtype: precision of the network, ``"float32"`` or ``"float64"``. Energies are summed, and
            atomic energies added, in double precision in any case.

    Raises:
        UserError: if the model does not know an element of the structure.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012 (ASE's)

    def __init__(
        self,
        atoms: Atoms,
        edge_capacity_multiplier: float,
        force_field: ForceField,
        allow_nodes_to_change: bool = False,
        node_capacity_multiplier: float = 1.0,
        dtype: Literal["float32", "float64"] = "float32",
    ) -> None:
        super().__init__()
        if dtype not in ("float32", "float64"):
            raise UserError(f"dtype is 'float32' or 'float64', not {dtype!r}")
        self._n_atoms = None if allow_nodes_to_change else len(atoms)
        self._dtype = np.dtype(dtype)
        self._predictor = force_field.predictor
        self._elements = sorted(force_field.allowed_atomic_numbers)
        self._atomic_energies = np.asarray(force_field.predictor.mlip_network.atomic_energies())
        with self._precision():
            self._params = variables_for(force_field, self._dtype)
        self._builder = PaddedGraphBuilder(
            elements=self._elements,
            cutoff=force_field.cutoff_distance,
            edge_capacity_multiplier=edge_capacity_multiplier,
            node_capacity_multiplier=node_capacity_multiplier,
            dtype=self._dtype.type,
        )
        self._builder.species(atoms)  # raises if the model does not know an element
        self._predict_stress = False
        self._evaluators: dict[bool, Evaluate] = {}
        self._numbers = np.zeros(0, dtype=int)
        self._graph: jraph.GraphsTuple | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but compiled functions and what lies on a device, which are made anew."""
        state = self.__dict__ | {"_evaluators": {}, "_graph": None}
        return state | {"_params": jax.tree.map(np.asarray, self._params)}

    @property
    def edges(self) -> VerletList:
        """The neighbour list."""
        return self._builder.edges

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """See ASE.

        Raises:
            PropertyNotImplementedError: for the stress of a structure without a volume.
        """
        structure = self.atoms if atoms is None else atoms
        if name == "stress" and structure is not None and not structure.pbc.all():
            raise PropertyNotImplementedError(
                "stress needs three periodic directions, this structure has pbc="
                f"{structure.pbc.tolist()}"
            )
        return super().get_property(name, atoms, allow_calculation)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill ``results``: eV, eV/Å and, for periodic structures that ask for it, eV/Å³.

        Raises:
            UserError: if the model does not know an element, positions are not finite or a cell
                cannot be used.
            ValueError: if the number of atoms changed and that was not allowed.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        if self._n_atoms not in (None, len(self.atoms)):
            raise ValueError(
                f"the calculator was made for {self._n_atoms} atoms and got {len(self.atoms)}; "
                "make it with allow_nodes_to_change=True"
            )
        self._predict_stress |= "stress" in (properties or ())
        with self._precision():
            prediction = self._predict(self.atoms)
            self.results = self._as_results(self.atoms, prediction)

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(self._dtype == np.float64)

    def _predict(self, atoms: Atoms) -> Prediction:
        geometry = Geometry.of(atoms)
        is_new = self._builder.update(atoms, geometry)
        reference = self.edges.references[0]
        if is_new or self._graph is None or not np.array_equal(self._numbers, atoms.numbers):
            self._graph = jax.device_put(self._builder.build_relative(atoms))
            self._numbers = atoms.numbers.copy()
        graph, moves = self._graph, geometry.positions - reference.positions
        if not np.array_equal(geometry.cell, reference.cell):
            graph, moves = _strained(graph, geometry, reference)
        n_node = self.edges.capacity.n_node
        evaluate = self._evaluator()
        with collector_paused():  # the first call is traced
            return evaluate(self._params, graph, padded(moves, n_node, self._dtype.type))

    def _evaluator(self) -> Evaluate:
        """The compiled function, without stress until that is asked for."""
        if self._predict_stress not in self._evaluators:
            network = self._predictor.mlip_network
            predictor = ForceFieldPredictor(network, predict_stress=self._predict_stress)
            self._evaluators[self._predict_stress] = _compiled(predictor)
        return self._evaluators[self._predict_stress]

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
        if prediction.stress is not None and atoms.pbc.all():
            # The graph's cell is the strain since the list was made, of volume 1 without any.
            volume = abs(np.linalg.det(self.edges.references[0].cell))
            stress = np.asarray(prediction.stress, np.float64)[0] / volume
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        return results


class ForceFieldCalculator(MLIPForceFieldASECalculator):
    """A trained model as an ASE calculator, in one line.

    ``atoms.calc = ForceFieldCalculator("model.zip")``

    Args:
        model: the path of a model zip, or a force field.
        edge_capacity_multiplier: head-room for edges before the model is compiled anew.
        dtype: precision of the network, ``"float32"`` or ``"float64"``.

    Raises:
        UserError: if the file is not a model zip.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | ForceField,
        edge_capacity_multiplier: float = 1.25,
        dtype: Literal["float32", "float64"] = "float32",
    ) -> None:
        force_field = model if isinstance(model, ForceField) else load_model(model)
        super().__init__(
            Atoms(), edge_capacity_multiplier, force_field, allow_nodes_to_change=True, dtype=dtype
        )


def _compiled(predictor: ForceFieldPredictor) -> Evaluate:
    def evaluate(
        params: Parameters, graph: jraph.GraphsTuple, displacements: np.ndarray
    ) -> Prediction:
        nodes = graph.nodes._replace(positions=displacements)
        prediction: Any = predictor.apply(params, graph._replace(nodes=nodes))
        # What is not returned is not computed.
        return Prediction(
            forces=prediction.forces,
            stress=prediction.stress,
            node_energies=prediction.node_energies,
        )

    return jax.jit(evaluate)


def _strained(
    graph: jraph.GraphsTuple, now: Geometry, reference: Geometry
) -> tuple[jraph.GraphsTuple, np.ndarray]:
    """The graph in a cell that has changed, and displacements ``[n_atoms, 3]`` on top of that.

    The strain F takes the place of the unit cell: it strains the vectors of all edges.
    """
    strain = np.linalg.solve(reference.cell, now.cell)
    cell = strain[None].astype(graph.globals.cell.dtype)
    globals_ = graph.globals._replace(cell=cell)
    return graph._replace(globals=globals_), now.positions - reference.positions @ strain
