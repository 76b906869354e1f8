"""The content of a ``jraph.GraphsTuple``: what nodes, edges and whole graphs carry.

A batch of structures is one ``jraph.GraphsTuple`` of these three tuples. Its last graph is padding.
Shapes below are those of a batch; lengths are in Å, energies in eV, stress in eV/Å³ (positive under
tension). ``Array`` stands for a NumPy array on the host and for a JAX array on a device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax

Array = Any


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["runs", "reverse", "pairs", "pair_edges"],
    meta_fields=["size"],
)
@dataclass(frozen=True)
class EdgeBlocks:
    """Promise on the order of edges: each aligned run of ``size`` edges has one receiver.

    Runs are filled up with self-edges of zero length (sender = receiver, shift 0), which every
    network ignores. With it a network can aggregate messages as small dense matrix products. The
    other fields say where else an edge's data are found, so that every sum over edges can be
    gathered instead of scattered, and functions of the length computed once for both directions.
    They need a symmetric edge list.

    The size is part of the structure of the pytree, not of its leaves, so a compiled function is
    specialised to it.

    Attributes:
        size: length of a run.
        runs: ``[n_nodes, most runs of a node]``, the runs of each node; ``n_runs`` for none.
        reverse: ``[n_edges]``, the edge from the receiver to the sender with the opposite vector;
            a filling edge is its own.
        pairs: ``[n_edges]``, number of the pair that an edge and its reverse make; of filling
            edges the last pair, which is never a real one.
        pair_edges: ``[n_pairs]``, one edge of each pair; ``n_edges`` for pairs that are not real.
    """

    size: int
    runs: Array | None = None
    reverse: Array | None = None
    pairs: Array | None = None
    pair_edges: Array | None = None


class GraphNodes(NamedTuple):
    """Per-atom data.

    Attributes:
        positions: ``[n_nodes, 3]``, Å.
        species: ``[n_nodes]``, index of the element in the ordered list of the dataset's elements.
        forces: ``[n_nodes, 3]``, eV/Å, the reference; ``None`` if there is none.
    """

    positions: Array
    species: Array
    forces: Array | None = None


class GraphEdges(NamedTuple):
    """Per-edge data. An edge carries information from its sender to its receiver.

    Attributes:
        shifts: ``[n_edges, 3]``, whole numbers (floats in a batch): how many cell vectors the
            receiver's image is displaced by.
        displ_fun: optional displacement function (JAX-MD convention) that replaces ``shifts``.
        blocks: the order of the edges, if it is known to be more than arbitrary.
    """

    shifts: Array | None
    displ_fun: Callable[..., Array] | None = None
    blocks: EdgeBlocks | None = None


class GraphGlobals(NamedTuple):
    """Per-structure data.

    Attributes:
        cell: ``[n_graphs, 3, 3]``, rows are the cell vectors, Å; zeros for a structure without a
            cell.
        weight: ``[n_graphs]``, weight in the loss.
        energy: ``[n_graphs]``, eV, the reference total energy.
        stress: ``[n_graphs, 3, 3]``, eV/Å³, the reference.
        interaction_energy: ``[n_graphs]``, eV, the reference energy minus the sum of atomic
            energies, subtracted in float64 before any cast: total energies of DFT are so large that
            float32 leaves no digits for what is learned.
        has_energy: ``[n_graphs]``, 1 where the energy is known, 0 where it is missing (the value is
            then 0 and does not count); ``None``: all are known.
        has_forces: the same for the forces of all atoms of a structure.
        has_stress: the same for the stress.
    """

    cell: Array
    weight: Array
    energy: Array | None = None
    stress: Array | None = None
    interaction_energy: Array | None = None
    has_energy: Array | None = None
    has_forces: Array | None = None
    has_stress: Array | None = None
