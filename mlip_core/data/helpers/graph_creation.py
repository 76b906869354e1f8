"""From structures to graphs: one by one, or many at once into flat arrays."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers.edge_blocks import find_reverse_edges
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.graph_store import LABELS, Segment
from mlip_core.data.helpers.neighborhood import Pairs, both_directions, get_neighborhood, get_pairs

if TYPE_CHECKING:
    import jraph

# So many atoms are worked on at once: enough that NumPy's overhead is small, and few enough for its
# fast sort of 16-bit integers.
_ATOMS_AT_ONCE = 4096
_LARGEST_SHIFT = np.iinfo(np.int8).max


class Structure(NamedTuple):
    """What a graph is made from.

    Attributes:
        codes: ``[n_atoms]``, species indices or atomic numbers.
        positions: ``[n_atoms, 3]``, Å.
        cell: ``[3, 3]``, rows are the cell vectors, Å; ignored without periodic directions.
        pbc: which cell vectors are periodic; ``None`` for none.
        weight: weight in the loss.
        energy: eV, or ``None``.
        forces: ``[n_atoms, 3]``, eV/Å, or ``None``.
        stress: ``[3, 3]``, eV/Å³, or ``None``.
    """

    codes: np.ndarray
    positions: np.ndarray
    cell: np.ndarray | None
    pbc: Any
    weight: float
    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None

    @property
    def is_periodic(self) -> bool:
        """Whether any direction is periodic."""
        return self.pbc is not None and any(self.pbc)


class TooManyImagesError(ValueError):
    """A neighbour is so many cells away that the cell cannot be right."""

    def __init__(self, index: int) -> None:
        """Say which structure, counting from 0."""
        super().__init__("a cell vector is far smaller than the cutoff; check units")
        self.index = index


def create_graph_from_chemical_system(
    chemical_system: ChemicalSystem,
    distance_cutoff_angstrom: float,
    batch_it_with_minimal_dummy: bool = False,
) -> "jraph.GraphsTuple":
    """The graph of one structure: float64 arrays, edges within the cutoff, no padding.

    Args:
        chemical_system: the structure.
        distance_cutoff_angstrom: two atoms nearer than this are joined by an edge each way.
        batch_it_with_minimal_dummy: append a padding graph of one node and one edge, which makes
            the graph a batch that a model accepts.
    """
    graph = _graph(chemical_system, distance_cutoff_angstrom)
    if not batch_it_with_minimal_dummy:
        return graph
    n_node, n_edge = len(chemical_system.positions), len(graph.senders)
    import jraph

    return jraph.pad_with_graphs(graph, n_node + 1, n_edge + 1, n_graph=2)


def structure_of(system: ChemicalSystem) -> Structure:
    """A chemical system with its atomic numbers as codes."""
    return Structure(
        system.atomic_numbers,
        system.positions,
        system.cell,
        system.pbc,
        system.weight,
        system.energy,
        system.forces,
        system.stress,
    )


def make_segment(
    structures: Iterable[Structure], cutoff: float, labels: Sequence[str] | None = None
) -> Segment:
    """The graphs of many structures as flat arrays.

    Besides the result only a few thousand atoms' worth of intermediate arrays are in memory.

    Args:
        structures: the structures, each of at least one atom.
        cutoff: two atoms nearer than this are joined by an edge each way, Å.
        labels: which labels the graphs can have, of energy, forces and stress; NaN where a
            structure lacks one. ``None``: those that some structure has.

    Raises:
        TooManyImagesError: if a neighbour is more than 127 cells away.
    """
    parts, found, first = [], set(labels or ()), 0
    for group in _groups(structures):
        if labels is None:
            found |= {name for name in LABELS for s in group if getattr(s, name) is not None}
        parts.append(_make_part(group, cutoff, first))
        first += len(group)
    return _join_parts(parts or [_make_part([], cutoff, 0)], found)


def segment_from_graphs(graphs: Sequence["jraph.GraphsTuple"]) -> Segment:
    """Copy unbatched graphs, of which some may lack some labels, into flat arrays."""
    n_edge = [int(graph.n_edge.sum()) for graph in graphs]
    structures = [_structure_of_graph(graph) for graph in graphs]
    n_node = [len(structure.codes) for structure in structures]
    edges = [_sorted_by_receiver(graph) for graph in graphs]
    offsets = np.repeat(np.cumsum([0, *n_node])[:-1], n_edge)
    senders, receivers, shifts = (
        np.concatenate([empty, *(np.asarray(parts[i]) for parts in edges)]).astype(np.int64)
        for i, empty in enumerate((np.zeros(0), np.zeros(0), np.zeros((0, 3))))
    )
    part = _assemble_part(structures, n_edge, senders, receivers + offsets, shifts)
    part["min_distance"] = _minima(_edge_lengths(part, receivers + offsets), n_edge)
    reverse = find_reverse_edges(senders + offsets, receivers + offsets, shifts, sum(n_node))
    if reverse is not None:
        edge_offsets = np.repeat(np.cumsum([0, *n_edge])[:-1], n_edge)
        part["reverse"] = narrow(reverse - edge_offsets)
    labels = {name for name in LABELS for s in structures if getattr(s, name) is not None}
    return _join_parts([part], labels)


def narrow(values: np.ndarray) -> np.ndarray:
    """The same numbers, none of them negative, in the smallest unsigned type."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _graph(system: ChemicalSystem, cutoff: float) -> "jraph.GraphsTuple":
    # Not above: what makes flat arrays only, need not wait for JAX.
    import jraph

    from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes

    senders, receivers, shifts = get_neighborhood(system.positions, cutoff, system.pbc, system.cell)
    structure = structure_of(system)
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=np.asarray(system.positions, dtype=np.float64),
            species=np.asarray(system.atomic_species, dtype=np.int32),
            forces=_float64(system.forces, -1, 3),
        ),
        edges=GraphEdges(shifts=shifts),
        senders=senders,
        receivers=receivers,
        globals=GraphGlobals(
            cell=_cell(structure)[None],
            weight=np.array([system.weight], dtype=np.float64),
            energy=_float64(system.energy, 1),
            stress=_float64(system.stress, 1, 3, 3),
        ),
        n_node=np.array([len(system.positions)], dtype=np.int32),
        n_edge=np.array([len(senders)], dtype=np.int32),
    )


def _float64(values: np.ndarray | float | None, *shape: int) -> np.ndarray | None:
    return None if values is None else np.asarray(values, dtype=np.float64).reshape(shape)


def _cell(structure: Structure) -> np.ndarray:
    if structure.cell is None or not structure.is_periodic:
        return np.zeros((3, 3))
    return np.asarray(structure.cell, dtype=np.float64)


def _groups(structures: Iterable[Structure]) -> Iterator[list[Structure]]:
    """Consecutive structures with a few thousand atoms in all."""
    group, n_atoms = [], 0
    for structure in structures:
        group.append(structure)
        n_atoms += len(structure.codes)
        if n_atoms >= _ATOMS_AT_ONCE:
            yield group
            group, n_atoms = [], 0
    if group:
        yield group


Part = dict[str, np.ndarray]


def _make_part(group: Sequence[Structure], cutoff: float, first: int) -> Part:
    """The fields of :class:`Segment` for some structures, all labels included."""
    pairs = [get_pairs(s.positions, cutoff, s.pbc, s.cell) for s in group]
    n_pairs = [len(found.first) for found in pairs]
    n_node = [len(structure.codes) for structure in group]
    offsets = np.repeat(np.cumsum([0, *n_node])[:-1], n_pairs)
    joined = _join_pairs(pairs, offsets)
    _check_images(joined.images, n_pairs, first)
    senders, receivers, shifts, reverse = both_directions(joined)
    n_edge = [2 * count for count in n_pairs]
    node_offsets = np.repeat(np.cumsum([0, *n_node])[:-1], n_edge)
    edge_offsets = np.repeat(np.cumsum([0, *n_edge])[:-1], n_edge)
    part = _assemble_part(group, n_edge, senders - node_offsets, receivers, shifts)
    part["min_distance"] = _minima(joined.distances, n_pairs)
    return part | {"reverse": narrow(reverse - edge_offsets)}


def _join_pairs(pairs: Sequence[Pairs], offsets: np.ndarray) -> Pairs:
    index, image = np.zeros(0, np.int64), np.zeros((0, 3), np.int32)
    none = Pairs(index, index, image, np.zeros(0))
    first, second, images, distances = map(np.concatenate, zip(none, *pairs, strict=True))
    first, second = (atoms.astype(np.int64) + offsets for atoms in (first, second))
    return Pairs(first, second, images, distances)


def _check_images(images: np.ndarray, n_pairs: Sequence[int], first: int) -> None:
    if np.abs(images).max(initial=0) > _LARGEST_SHIFT:
        pair = int(np.abs(images).max(axis=1).argmax())
        raise TooManyImagesError(first + int(np.searchsorted(np.cumsum(n_pairs), pair, "right")))


def _assemble_part(
    group: Sequence[Structure],
    n_edge: Sequence[int],
    senders: np.ndarray,
    receivers: np.ndarray,
    shifts: np.ndarray,
) -> Part:
    """All fields but the smallest distances and the reverse edges.

    Args:
        group: the structures.
        n_edge: edges of each.
        senders: counted from each structure's first atom.
        receivers: counted from the first atom of all, ascending.
        shifts: ``[sum of n_edge, 3]``.
    """
    part = {
        "n_node": np.array([len(s.codes) for s in group], dtype=np.int32),
        "n_edge": np.array(n_edge, dtype=np.int32),
        "cell": _stacked([_cell(s) for s in group], (3, 3)),
        "weight": _stacked([s.weight for s in group], ()),
        "positions": _joined([s.positions for s in group], (3,)),
        "codes": _joined([s.codes for s in group], (), np.int64),
        "senders": narrow(senders),
        "shifts": shifts.astype(np.int8),
        "energy": _stacked([_or_nan(s.energy, ()) for s in group], ()),
        "forces": _joined([_or_nan(s.forces, (len(s.codes), 3)) for s in group], (3,)),
        "stress": _stacked([_or_nan(s.stress, (3, 3)) for s in group], (3, 3)),
    }
    n_atoms = len(part["codes"])
    part["codes"] = narrow(part["codes"])
    part["neighbor_counts"] = narrow(np.bincount(receivers, minlength=n_atoms))
    squares = np.square(part["forces"]).sum(axis=1)
    starts = np.cumsum(part["n_node"]) - part["n_node"]
    part["force_squares"] = np.add.reduceat(squares, starts) if len(starts) else squares
    return part


def _minima(distances: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The smallest of each structure's distances, which follow each other; infinite for none."""
    nearest = np.full(len(counts), np.inf)
    np.minimum.at(nearest, np.repeat(np.arange(len(counts)), counts), distances)
    return nearest


def _edge_lengths(part: Part, receivers: np.ndarray) -> np.ndarray:
    n_node, n_edge = part["n_node"], part["n_edge"]
    senders = part["senders"] + np.repeat(np.cumsum(n_node) - n_node, n_edge)
    vectors = get_edge_relative_vectors(
        part["positions"], senders, receivers, part["shifts"], part["cell"], n_edge, use_np=True
    )
    return np.sqrt(np.einsum("ei,ei->e", vectors, vectors))


def _join_parts(parts: Sequence[Part], labels: set[str]) -> Segment:
    """Concatenate, without labels that are not wanted."""
    unwanted = set(LABELS) - labels | (set() if "forces" in labels else {"force_squares"})
    names = [name for name in parts[0] if name not in unwanted]
    arrays = {name: np.concatenate([part.pop(name) for part in parts]) for name in names}
    return Segment(reverse=arrays.pop("reverse", None), **arrays)


def _or_nan(value: Any, shape: tuple[int, ...]) -> Any:
    return np.full(shape, np.nan) if value is None else value


def _stacked(values: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(len(values), *shape)


def _joined(arrays: Sequence[Any], row: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    return np.concatenate([np.zeros((0, *row), dtype), *arrays], dtype=dtype, casting="unsafe")


def _structure_of_graph(graph: "jraph.GraphsTuple") -> Structure:
    nodes, labels = graph.nodes, graph.globals
    return Structure(
        codes=np.asarray(nodes.species),
        positions=np.asarray(nodes.positions),
        cell=np.asarray(labels.cell)[0],
        pbc=(True, True, True),  # the cell is kept as it is
        weight=float(np.asarray(labels.weight)[0]),
        energy=None if labels.energy is None else float(np.asarray(labels.energy)[0]),
        forces=None if nodes.forces is None else np.asarray(nodes.forces),
        stress=None if labels.stress is None else np.asarray(labels.stress)[0],
    )


def _sorted_by_receiver(
    graph: "jraph.GraphsTuple",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    senders, receivers, shifts = map(
        np.asarray, (graph.senders, graph.receivers, graph.edges.shifts)
    )
    order = np.argsort(receivers, kind="stable")
    return senders[order], receivers[order], shifts[order]
