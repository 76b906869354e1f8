"""Many graphs as a few flat arrays, in memory or memory-mapped, from which batches are gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import jraph
import numpy as np

from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes


@dataclass(frozen=True)
class Segment:
    """Flat arrays of consecutive graphs; the rows of a graph begin at its start and are contiguous.

    Between graphs there may be unused rows; those of ``codes`` and ``neighbor_counts`` are then 0.

    Attributes:
        positions: ``[rows, 3]``, Å.
        codes: ``[rows]``, species indices, or atomic numbers if the store has a species table.
        forces: ``[rows, 3]``, eV/Å, or ``None``.
        neighbor_counts: ``[rows]``, number of edges that each atom receives.
        senders: ``[edge rows]``, counted from the graph's first atom.
        receivers: ``[edge rows]``, the same; ascending within each graph.
        shifts: ``[edge rows, 3]``, integers.
        node_start: ``[n_graphs]``, first row of each graph's atoms.
        edge_start: ``[n_graphs]``, first row of each graph's edges.
    """

    positions: np.ndarray
    codes: np.ndarray
    forces: np.ndarray | None
    neighbor_counts: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    shifts: np.ndarray
    node_start: np.ndarray
    edge_start: np.ndarray


@dataclass(frozen=True)
class GraphStore:
    """Graphs of one dataset.

    Attributes:
        segments: the per-atom and per-edge data.
        segment: ``[n_graphs]``, which segment holds each graph.
        row: ``[n_graphs]``, its place among that segment's graphs.
        n_node: ``[n_graphs]``, atoms.
        n_edge: ``[n_graphs]``, edges.
        cell: ``[n_graphs, 3, 3]``, Å.
        weight: ``[n_graphs]``.
        energy: ``[n_graphs]``, eV, or ``None``.
        stress: ``[n_graphs, 3, 3]``, eV/Å³, or ``None``.
        species_of_code: species index by atomic number, -1 for elements that are not in the
            dataset, if the segments hold atomic numbers; ``None`` if they hold species.
    """

    segments: tuple[Segment, ...]
    segment: np.ndarray
    row: np.ndarray
    n_node: np.ndarray
    n_edge: np.ndarray
    cell: np.ndarray
    weight: np.ndarray
    energy: np.ndarray | None
    stress: np.ndarray | None
    species_of_code: np.ndarray | None = None

    @classmethod
    def from_graphs(cls, graphs: Sequence[jraph.GraphsTuple]) -> Self:
        """Copy unbatched graphs into flat arrays, edges sorted by receiver.

        Raises:
            ValueError: if some graphs have a label and some do not.
        """
        graphs = [_sorted_by_receiver(graph) for graph in graphs]
        n_node = np.array([int(graph.n_node.sum()) for graph in graphs], dtype=np.int64)
        n_edge = np.array([int(graph.n_edge.sum()) for graph in graphs], dtype=np.int64)
        return cls(
            segments=(_flatten(graphs, n_node, n_edge),),
            segment=np.zeros(len(graphs), dtype=np.int64),
            row=np.arange(len(graphs)),
            n_node=n_node,
            n_edge=n_edge,
            cell=_joined([graph.globals.cell for graph in graphs], (0, 3, 3)),
            weight=_joined([graph.globals.weight for graph in graphs], (0,)),
            energy=_joined_label("energy", [graph.globals.energy for graph in graphs]),
            stress=_joined_label("stress", [graph.globals.stress for graph in graphs]),
        )

    def __len__(self) -> int:
        return len(self.n_node)

    def take(self, rows: np.ndarray) -> Self:
        """The graphs of some rows, in that order, sharing the data."""
        return replace(
            self,
            segment=self.segment[rows],
            row=self.row[rows],
            n_node=self.n_node[rows],
            n_edge=self.n_edge[rows],
            cell=self.cell[rows],
            weight=self.weight[rows],
            energy=None if self.energy is None else self.energy[rows],
            stress=None if self.stress is None else self.stress[rows],
        )

    def gather(self, name: str, rows: np.ndarray, out: np.ndarray) -> None:
        """Copy the rows of some graphs, one after the other, into the beginning of ``out``.

        Args:
            name: a per-atom or per-edge field of :class:`Segment`.
            rows: ``[n]``, which graphs.
            out: receives the values, cast to its dtype.
        """
        per_edge = name in ("senders", "receivers", "shifts")
        counts = (self.n_edge if per_edge else self.n_node)[rows]
        pieces = self._pieces(name, "edge_start" if per_edge else "node_start", rows, counts)
        if pieces:
            np.concatenate(pieces, out=out[: counts.sum()], casting="same_kind")

    def _pieces(
        self, name: str, start: str, rows: np.ndarray, counts: np.ndarray
    ) -> list[np.ndarray]:
        arrays = [getattr(segment, name) for segment in self.segments]
        starts = [getattr(segment, start) for segment in self.segments]
        places = zip(
            self.segment[rows].tolist(), self.row[rows].tolist(), counts.tolist(), strict=True
        )
        pieces = []
        for segment, row, count in places:
            first = int(starts[segment][row])
            pieces.append(arrays[segment][first : first + count])
        return pieces

    @property
    def has_forces(self) -> bool:
        """Whether the graphs have forces."""
        return self.segments[0].forces is not None

    def species(self, codes: np.ndarray) -> np.ndarray:
        """Species indices of codes."""
        return codes if self.species_of_code is None else self.species_of_code[codes]

    def neighbor_counts(self) -> np.ndarray:
        """Numbers of edges that atoms receive; 0 for unused rows."""
        return np.concatenate([segment.neighbor_counts for segment in self.segments])

    def sum_over_atoms(self, name: str, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """``[n_graphs]``: sum over each graph's atoms of ``value(field)``.

        ``value`` maps a per-atom field of a segment to numbers and must map 0 of unused rows to 0.
        """
        totals = [_sum_by_start(value(getattr(s, name)), s.node_start) for s in self.segments]
        first = np.cumsum([0, *map(len, totals)])[:-1]
        return np.concatenate(totals)[first[self.segment] + self.row]

    def graph(self, index: int) -> jraph.GraphsTuple:
        """One graph, unbatched, in the precision in which it is stored."""
        segment = self.segments[self.segment[index]]
        row = self.row[index]
        atoms = _span(segment.node_start[row], self.n_node[index])
        edges = _span(segment.edge_start[row], self.n_edge[index])
        one = slice(index, index + 1)
        return jraph.GraphsTuple(
            nodes=GraphNodes(
                positions=segment.positions[atoms],
                species=self.species(segment.codes[atoms]).astype(np.int32),
                forces=None if segment.forces is None else segment.forces[atoms],
            ),
            edges=GraphEdges(shifts=segment.shifts[edges].astype(np.int32)),
            senders=segment.senders[edges],
            receivers=segment.receivers[edges],
            globals=GraphGlobals(
                cell=self.cell[one],
                weight=self.weight[one],
                energy=None if self.energy is None else self.energy[one],
                stress=None if self.stress is None else self.stress[one],
            ),
            n_node=self.n_node[one].astype(np.int32),
            n_edge=self.n_edge[one].astype(np.int32),
        )


def _span(start: int, length: int) -> slice:
    return slice(int(start), int(start) + int(length))


def _sum_by_start(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def _sorted_by_receiver(graph: jraph.GraphsTuple) -> jraph.GraphsTuple:
    receivers = np.asarray(graph.receivers)
    if np.all(receivers[1:] >= receivers[:-1]):
        return graph
    order = np.argsort(receivers, kind="stable")
    return graph._replace(
        senders=np.asarray(graph.senders)[order],
        receivers=receivers[order],
        edges=graph.edges._replace(shifts=np.asarray(graph.edges.shifts)[order]),
    )


def _flatten(
    graphs: Sequence[jraph.GraphsTuple], n_node: np.ndarray, n_edge: np.ndarray
) -> Segment:
    node_start, edge_start = np.cumsum(n_node) - n_node, np.cumsum(n_edge) - n_edge
    receivers = _joined([graph.receivers for graph in graphs], (0,), np.int32)
    rows = receivers + np.repeat(node_start, n_edge)
    return Segment(
        positions=_joined([graph.nodes.positions for graph in graphs], (0, 3)),
        codes=_joined([graph.nodes.species for graph in graphs], (0,), np.int32),
        forces=_joined_label("forces", [graph.nodes.forces for graph in graphs]),
        neighbor_counts=np.bincount(rows, minlength=n_node.sum()),
        senders=_joined([graph.senders for graph in graphs], (0,), np.int32),
        receivers=receivers,
        shifts=_joined([graph.edges.shifts for graph in graphs], (0, 3), np.int32),
        node_start=node_start,
        edge_start=edge_start,
    )


def _joined(arrays: Sequence[Any], empty: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """Concatenate; of nothing, an array of the shape ``empty``."""
    parts = [np.zeros(empty), *map(np.asarray, arrays)]
    return np.concatenate(parts, dtype=dtype, casting="unsafe")


def _joined_label(name: str, arrays: Sequence[Any]) -> np.ndarray | None:
    missing = sum(array is None for array in arrays)
    if missing == len(arrays):
        return None
    if missing:
        raise ValueError(f"{missing} of {len(arrays)} graphs have no {name}; all or none must")
    return np.concatenate([np.asarray(array, dtype=np.float64) for array in arrays])
