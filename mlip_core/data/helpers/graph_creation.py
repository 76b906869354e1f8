"""From structures to graphs: one by one, or many at once into flat arrays."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers.edge_blocks import find_reverse_edges
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.graph_store import LABELS, Segment
from mlip_core.data.helpers.neighborhood import (
    Geometries,
    get_neighborhood,
    get_pairs_of_many,
    order_by_receiver,
)
from mlip_core.utils.threads import available_threads

if TYPE_CHECKING:
    import jraph

    from mlip_core.data.frames import FrameBlock

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


class StructureBlock(NamedTuple):
    """Several structures, the atoms of one after those of the other; labels that one lacks are NaN.

    Attributes:
        n_node: ``[n]``, atoms of each structure, at least one.
        codes: ``[n_atoms]``, species indices or atomic numbers.
        positions: ``[n_atoms, 3]``, Å.
        cell: ``[n, 3, 3]``, rows are the cell vectors, Å; zeros without periodic directions.
        pbc: ``[n, 3]``, which cell vectors are periodic.
        weight: ``[n]``, weight in the loss.
        energy: ``[n]``, eV.
        forces: ``[n_atoms, 3]``, eV/Å.
        stress: ``[n, 3, 3]``, eV/Å³.
    """

    n_node: np.ndarray
    codes: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    weight: np.ndarray
    energy: np.ndarray
    forces: np.ndarray
    stress: np.ndarray

    @classmethod
    def of(cls, structures: Sequence[Structure]) -> "StructureBlock":
        """Put structures together."""
        return cls(
            n_node=np.array([len(s.codes) for s in structures], dtype=np.int32),
            codes=_joined([s.codes for s in structures], (), np.int64),
            positions=_joined([s.positions for s in structures], (3,)),
            cell=_stacked([_cell(s) for s in structures], (3, 3)),
            pbc=np.array(
                [(False,) * 3 if s.pbc is None else s.pbc for s in structures], bool
            ).reshape(-1, 3),
            weight=_stacked([s.weight for s in structures], ()),
            energy=_stacked([_or_nan(s.energy, ()) for s in structures], ()),
            forces=_joined([_or_nan(s.forces, (len(s.codes), 3)) for s in structures], (3,)),
            stress=_stacked([_or_nan(s.stress, (3, 3)) for s in structures], (3, 3)),
        )

    @classmethod
    def of_frames(cls, block: "FrameBlock") -> "StructureBlock":
        """The structures of frames, sharing their arrays."""
        return cls(
            n_node=block.n_atoms,
            codes=block.numbers,
            positions=block.positions,
            cell=block.cells,
            pbc=block.pbc,
            weight=np.ones(len(block)),
            energy=block.energy,
            forces=block.forces,
            stress=block.stress,
        )

    def take(self, rows: np.ndarray) -> "StructureBlock":
        """The structures of a mask."""
        atoms = np.repeat(rows, self.n_node)
        of_atoms = ("codes", "positions", "forces")
        values = self._asdict().items()
        return StructureBlock(**{n: v[atoms if n in of_atoms else rows] for n, v in values})

    @property
    def labels(self) -> set[str]:
        """Labels that some structure has."""
        return {name for name in LABELS if not np.isnan(getattr(self, name)).all()}


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
    """The graphs of many structures as flat arrays; see :func:`make_segment_of_blocks`."""
    return make_segment_of_blocks(in_structure_blocks(structures), cutoff, labels)


def in_structure_blocks(structures: Iterable[Structure]) -> Iterator[StructureBlock]:
    """Put structures together, few enough that memory stays small."""
    return map(StructureBlock.of, _groups(structures))


def make_segment_of_blocks(
    blocks: Iterable[StructureBlock], cutoff: float, labels: Sequence[str] | None = None
) -> Segment:
    """The graphs of many structures as flat arrays.

    Besides the result only a few blocks' worth of intermediate arrays are in memory. Blocks are
    worked on by as many threads as there are to use; the result does not depend on it.

    Args:
        blocks: the structures, best a few thousand atoms at a time.
        cutoff: two atoms nearer than this are joined by an edge each way, Å.
        labels: which labels the graphs can have, of energy, forces and stress; NaN where a
            structure lacks one. ``None``: those that some structure has.

    Raises:
        TooManyImagesError: if a neighbour is more than 127 cells away.
    """
    parts, found = [], set(labels or ())
    for block, part in _make_parts(blocks, cutoff):
        if labels is None:
            found |= block.labels
        parts.append(part)
    return _join_parts(parts or [_make_part(StructureBlock.of([]), cutoff, 0)], found)


def segment_from_graphs(graphs: Sequence["jraph.GraphsTuple"]) -> Segment:
    """Copy unbatched graphs, of which some may lack some labels, into flat arrays."""
    n_edge = np.array([int(graph.n_edge.sum()) for graph in graphs], dtype=np.int64)
    block = StructureBlock.of([_structure_of_graph(graph) for graph in graphs])
    n_node = block.n_node
    edges = [_sorted_by_receiver(graph) for graph in graphs]
    offsets = np.repeat(np.cumsum([0, *n_node])[:-1], n_edge)
    senders, receivers, shifts = (
        np.concatenate([empty, *(np.asarray(parts[i]) for parts in edges)]).astype(np.int64)
        for i, empty in enumerate((np.zeros(0), np.zeros(0), np.zeros((0, 3))))
    )
    part = _assemble_part(block, n_edge, senders, receivers + offsets, shifts)
    part["min_distance"] = _minima(_edge_lengths(part, receivers + offsets), n_edge)
    reverse = find_reverse_edges(senders + offsets, receivers + offsets, shifts, int(n_node.sum()))
    if reverse is not None:
        edge_offsets = np.repeat(np.cumsum([0, *n_edge])[:-1], n_edge)
        part["reverse"] = narrow(reverse - edge_offsets)
    return _join_parts([part], block.labels)


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


def _make_parts(
    blocks: Iterable[StructureBlock], cutoff: float
) -> Iterator[tuple[StructureBlock, Part]]:
    """Each block and its part, in order; as many blocks are in work as there are threads."""
    n_threads = available_threads()
    if n_threads == 1:
        for first, block in _numbered(blocks):
            yield block, _make_part(block, cutoff, first)
        return
    waiting: deque[tuple[StructureBlock, Future[Part]]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        for first, block in _numbered(blocks):
            waiting.append((block, pool.submit(_make_part, block, cutoff, first)))
            if len(waiting) >= n_threads:
                block, future = waiting.popleft()
                yield block, future.result()
        for block, future in waiting:
            yield block, future.result()


def _numbered(blocks: Iterable[StructureBlock]) -> Iterator[tuple[int, StructureBlock]]:
    """Each block with the number of its first structure."""
    first = 0
    for block in blocks:
        yield first, block
        first += len(block.n_node)


def _make_part(block: StructureBlock, cutoff: float, first: int) -> Part:
    """The fields of :class:`Segment` for the structures from number ``first`` on, all labels."""
    geometries = Geometries(block.n_node, block.positions, block.cell, block.pbc)
    pairs, n_pairs = get_pairs_of_many(geometries, cutoff)
    _check_images(pairs.images, n_pairs, first)
    n_edge = 2 * n_pairs
    starts = np.repeat(np.cumsum(block.n_node) - block.n_node, n_pairs)
    receivers = np.concatenate([pairs.first + starts, pairs.second + starts])
    order, partners = order_by_receiver(receivers)
    senders = np.concatenate([narrow(pairs.second), narrow(pairs.first)])
    images = pairs.images.astype(np.int8)
    part = _assemble_part(
        block,
        n_edge,
        senders.take(order),
        receivers,
        np.concatenate([-images, images]).take(order, axis=0),
    )
    part["min_distance"] = _minima(pairs.distances, n_pairs)
    first_edges = np.repeat((np.cumsum(n_edge) - n_edge).astype(np.int32), n_edge)
    return part | {"reverse": narrow(partners - first_edges)}


def _check_images(images: np.ndarray, n_pairs: np.ndarray, first: int) -> None:
    if max(images.max(initial=0), -images.min(initial=0)) > _LARGEST_SHIFT:
        pair = int(np.abs(images).max(axis=1).argmax())
        raise TooManyImagesError(first + int(np.searchsorted(np.cumsum(n_pairs), pair, "right")))


def _assemble_part(
    block: StructureBlock,
    n_edge: np.ndarray,
    senders: np.ndarray,
    receivers: np.ndarray,
    shifts: np.ndarray,
) -> Part:
    """All fields but the smallest distances and the reverse edges.

    Args:
        block: the structures.
        n_edge: ``[n]``, edges of each.
        senders: counted from each structure's first atom, in order of the receivers.
        receivers: counted from the first atom of all, in any order.
        shifts: ``[sum of n_edge, 3]``, in order of the receivers.
    """
    squares = np.square(block.forces).sum(axis=1)
    starts = np.cumsum(block.n_node) - block.n_node
    return {
        "n_node": block.n_node.astype(np.int32),
        "n_edge": n_edge.astype(np.int32),
        "cell": block.cell,
        "weight": block.weight,
        "positions": block.positions,
        "codes": narrow(block.codes),
        "senders": narrow(senders),
        "shifts": shifts.astype(np.int8, copy=False),
        "energy": block.energy,
        "forces": block.forces,
        "stress": block.stress,
        "neighbor_counts": narrow(np.bincount(receivers, minlength=len(block.codes))),
        "force_squares": np.add.reduceat(squares, starts) if len(starts) else squares,
    }


def _minima(distances: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The smallest of each structure's distances, which follow each other; infinite for none."""
    nearest = np.full(len(counts), np.inf)
    some = np.flatnonzero(counts)
    if len(some):
        nearest[some] = np.minimum.reduceat(distances, (np.cumsum(counts) - counts)[some])
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
