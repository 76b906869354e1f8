"""What engines have in common: parameters, velocities to start with, boxes, explosions."""

from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from ase import Atoms, units
from ase.md.velocitydistribution import Stationary, ZeroRotation

from mlip_core.models.force_field import ForceField, Parameters
from mlip_core.simulation.configs.simulation_config import SimulationConfig
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes
from mlip_core.utils.errors import UserError

HOTTEST_KELVIN = 1e6


def has_simulation_exploded(temperatures: np.ndarray | float) -> bool:
    """Whether a temperature is above a million K or not a number."""
    return not bool(np.all(np.asarray(temperatures) <= HOTTEST_KELVIN))


def prepared(atoms: Atoms, config: SimulationConfig) -> Atoms:
    """A copy to simulate, without calculator and constraints, in the config's box if it is open.

    Raises:
        ValueError: if it has a single atom.
    """
    if len(atoms) < 2:
        raise ValueError("Single atom systems are not supported yet.")
    copy = atoms.copy()
    copy.set_constraint()
    if config.box is not None and not atoms.pbc.any():
        copy.set_cell(np.broadcast_to(config.box, 3))
        copy.set_pbc(True)
    return copy


def draw_velocities(atoms: Atoms, temperature_kelvin: float, seed: int) -> None:
    """Maxwell-Boltzmann velocities, unless the structure has any, without motion as a whole."""
    if atoms.get_momenta().any():
        return
    normal = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    atoms.set_momenta(np.sqrt(atoms.get_masses()[:, None] * units.kB * temperature_kelvin) * normal)
    Stationary(atoms, preserve_temperature=False)
    if not atoms.pbc.any():
        ZeroRotation(atoms, preserve_temperature=False)


def species_of(atoms: Atoms, allowed_atomic_numbers: set[int]) -> np.ndarray:
    """Index of each atom's element among the allowed ones in order, ``[n_atoms]``.

    Raises:
        UserError: if an element is not allowed.
    """
    unknown = set(atoms.numbers.tolist()) - allowed_atomic_numbers
    if unknown:
        raise UserError(
            f"{atoms.get_chemical_formula()}: the model knows no atomic number "
            f"{sorted(unknown)}; it was trained on {sorted(allowed_atomic_numbers)}"
        )
    return np.searchsorted(sorted(allowed_atomic_numbers), atoms.numbers).astype(np.int32)


def variables_for(force_field: ForceField, dtype: np.dtype) -> Parameters:
    """The parameters on the device; in single precision with tables, which are as exact as that."""
    is_single = dtype == np.float32
    variables = force_field.tabulated.params if is_single else force_field.params
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), variables)


def create_graph_from_atoms(
    atoms: Atoms,
    senders: np.ndarray,
    receivers: np.ndarray,
    displacement_fun: Any,
    allowed_atomic_numbers: set[int],
    cell: np.ndarray | None = None,
    shifts: np.ndarray | None = None,
) -> jraph.GraphsTuple:
    """The graph of one structure, without padding, from edges that are known.

    Args:
        atoms: the structure.
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        displacement_fun: gives the vector between two positions; ``None`` if there are shifts.
        allowed_atomic_numbers: the elements of the model.
        cell: ``[3, 3]``, Å; ``None`` for none.
        shifts: ``[n_edges, 3]``; ``None`` if there is a displacement function.

    Raises:
        UserError: if an element is not allowed.
    """
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=atoms.positions, species=species_of(atoms, allowed_atomic_numbers)
        ),
        edges=GraphEdges(shifts=shifts, displ_fun=displacement_fun),
        senders=senders,
        receivers=receivers,
        globals=GraphGlobals(
            cell=np.zeros((1, 3, 3)) if cell is None else np.asarray(cell)[None],
            weight=np.ones(1),
        ),
        n_node=np.array([len(atoms)]),
        n_edge=np.array([len(senders)]),
    )
