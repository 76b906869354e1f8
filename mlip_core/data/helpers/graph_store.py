"""Many graphs as a few flat arrays, in memory or memory-mapped, from which batches are gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np

from mlip_core.data.helpers.edge_blocks import SortedEdges

if TYPE_CHECKING:
    import jraph

LABELS = ("energy", "forces", "stress")

AtomField = Literal["positions", "codes", "forces", "neighbor_counts"]
EdgeField = Literal["senders", "shifts", "reverse"]


@dataclass(frozen=True)
class Segment:
    """Graphs one after the other: a row per graph, a row per atom, or a row per edge.

    Integers are of whatever type is wide enough. Labels that a graph lacks are NaN.

    Attributes:
        n_node: ``[n_graphs]``, atoms of each graph.
        n_edge: ``[n_graphs]``, its edges.
        cell: ``[n_graphs, 3, 3]``, Å.
        weight: ``[n_graphs]``.
        min_distance: ``[n_graphs]``, length of the shortest edge, Å; infinite without edges.
        positions: ``[n_atoms, 3]``, Å.
        codes: ``[n_atoms]``, species indices, or atomic numbers if the store has a species table.
        neighbor_counts: ``[n_atoms]``, number of edges that each atom receives.
        senders: ``[n_edges]``, counted from the graph's first atom; edges are in order of their
            receivers, which ``neighbor_counts`` gives.
        shifts: ``[n_edges, 3]``.
        reverse: ``[n_edges]``, the edge with exchanged ends and opposite shift, counted from the
            graph's first edge; ``None`` if some edge has none.
        energy: ``[n_graphs]``, eV, or ``None``.
        forces: ``[n_atoms, 3]``, eV/Å, or ``None``.
        stress: ``[n_graphs, 3, 3]``, eV/Å³, or ``None``.
        force_squares: ``[n_graphs]``, sum of the squares of the forces, or ``None``.
    """

    n_node: np.ndarray
    n_edge: np.ndarray
    cell: np.ndarray
    weight: np.ndarray
    min_distance: np.ndarray
    positions: np.ndarray
    codes: np.ndarray
    neighbor_counts: np.ndarray
    senders: np.ndarray
    shifts: np.ndarray
    reverse: np.ndarray | None
    energy: np.ndarray | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    force_squares: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.n_node)

    @cached_property
    def node_ends(self) -> np.ndarray:
        """``[n_graphs]``: the row after each graph's last atom."""
        return np.cumsum(self.n_node, dtype=np.int64)

    @cached_property
    def edge_ends(self) -> np.ndarray:
        """``[n_graphs]``: the row after each graph's last edge."""
        return np.cumsum(self.n_edge, dtype=np.int64)

    @property
    def labels(self) -> tuple[str, ...]:
        """Which of energy, forces and stress graphs can have."""
        return tuple(name for name in LABELS if getattr(self, name) is not None)

    def is_labelled(self, label: str, rows: Any = slice(None)) -> Any:
        """Whether graphs have this label: one row, or an array for several."""
        sample = {"energy": self.energy, "forces": self.force_squares, "stress": self.stress}[label]
        assert sample is not None, f"{label} is not among the labels"
        values = sample[rows]
        return ~np.isnan(values if label != "stress" else values[..., 0, 0])

    def labelled(self, column: Literal["energy", "force_squares"]) -> np.ndarray:
        """A column without the graphs that lack the label."""
        values = getattr(self, column)
        return values[~np.isnan(values)]

    def arrays(self) -> dict[str, np.ndarray]:
        """The fields that are there, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


class Place(NamedTuple):
    """Where a graph is: its segment, its row there, and those of its atoms and edges."""

    segment: Segment
    row: int
    atoms: slice
    edges: slice


@dataclass(frozen=True)
class GraphStore:
    """Graphs of one dataset.

    Attributes:
        segments: the data, in memory or memory-mapped.
        segment: ``[n_graphs]``, which segment holds each graph.
        row: ``[n_graphs]``, its row among that segment's graphs.
        n_node: ``[n_graphs]``, atoms.
        n_edge: ``[n_graphs]``, edges.
        species_of_code: species index by atomic number, -1 for elements that are not in the
            dataset, if the segments hold atomic numbers; ``None`` if they hold species.
        release: frees what reading the segments has brought into memory; ``None``: nothing does.
    """

    segments: tuple[Segment, ...]
    segment: np.ndarray
    row: np.ndarray
    n_node: np.ndarray
    n_edge: np.ndarray
    species_of_code: np.ndarray | None = None
    release: Callable[[], None] | None = None

    @classmethod
    def from_segments(
        cls,
        segments: Sequence[Segment],
        species_of_code: np.ndarray | None = None,
        release: Callable[[], None] | None = None,
    ) -> Self:
        """All graphs of some segments, in their order; all must have the same labels."""
        sizes = [len(segment) for segment in segments]
        rows = [np.arange(size, dtype=np.int32) for size in sizes]
        return cls(
            segments=tuple(segments),
            segment=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            row=_joined(rows, np.int32),
            n_node=_joined([segment.n_node for segment in segments], np.int32),
            n_edge=_joined([segment.n_edge for segment in segments], np.int32),
            species_of_code=species_of_code,
            release=release,
        )

    def __len__(self) -> int:
        return len(self.n_node)

    @property
    def labels(self) -> tuple[str, ...]:
        """Which of energy, forces and stress graphs can have."""
        return self.segments[0].labels if self.segments else ()

    @cached_property
    def incomplete_labels(self) -> frozenset[str]:
        """Those that some graph lacks; a store of a part of the graphs keeps those of the whole."""
        return frozenset(
            label
            for label in self.labels
            if not all(segment.is_labelled(label).all() for segment in self.segments)
        )

    def take(self, rows: np.ndarray) -> Self:
        """The graphs of some rows, in that order, sharing the data."""
        return replace(
            self,
            segment=self.segment[rows],
            row=self.row[rows],
            n_node=self.n_node[rows],
            n_edge=self.n_edge[rows],
        )

    def join(self, other: "GraphStore") -> Self:
        """These graphs, then those of another store with the same codes; both share their data.

        Raises:
            ValueError: if the two do not have the same labels.
        """
        if self.labels != other.labels:
            raise ValueError(f"graphs with {self.labels} and graphs with {other.labels}")

        def release() -> None:
            for store in (self, other):
                if store.release is not None:
                    store.release()

        offset = len(self.segments)
        return replace(
            self,
            segments=(*self.segments, *other.segments),
            segment=np.concatenate([self.segment, other.segment + offset], dtype=np.int32),
            row=np.concatenate([self.row, other.row]),
            n_node=np.concatenate([self.n_node, other.n_node]),
            n_edge=np.concatenate([self.n_edge, other.n_edge]),
            release=release if self.release or other.release else None,
        )

    def places(self, rows: np.ndarray) -> list[Place]:
        """Where some graphs are."""
        counts = zip(self.n_node[rows].tolist(), self.n_edge[rows].tolist(), strict=True)
        located = zip(self.segment[rows].tolist(), self.row[rows].tolist(), counts, strict=True)
        result = []
        for number, row, (n_node, n_edge) in located:
            segment = self.segments[number]
            atoms_end, edges_end = int(segment.node_ends[row]), int(segment.edge_ends[row])
            atoms = slice(atoms_end - n_node, atoms_end)
            result.append(Place(segment, row, atoms, slice(edges_end - n_edge, edges_end)))
        return result

    def species(self, codes: np.ndarray) -> np.ndarray:
        """Species indices of codes."""
        return codes if self.species_of_code is None else self.species_of_code[codes]

    def neighbor_histogram(self) -> np.ndarray:
        """How many atoms receive 0, 1, 2, … edges, over all graphs of the segments."""
        parts = [np.bincount(segment.neighbor_counts) for segment in self.segments]
        total = np.zeros(max(map(len, parts), default=0), dtype=np.int64)
        for part in parts:
            total[: len(part)] += part
        return total

    def sum_over_atoms(self, name: AtomField, value: Callable[[np.ndarray], Any]) -> np.ndarray:
        """``[n_graphs]``: sum over each graph's atoms of ``value(field)``."""
        totals = [_sum_by_graph(value(getattr(s, name)), s) for s in self.segments]
        first = np.cumsum([0, *map(len, totals)])[:-1]
        return _joined(totals, None)[first[self.segment] + self.row] if totals else np.zeros(0)

    def column(self, name: Literal["energy"]) -> np.ndarray:
        """``[n_graphs]``: a value of each graph."""
        first = np.cumsum([0, *map(len, self.segments)])[:-1]
        values = [getattr(segment, name) for segment in self.segments]
        return _joined(values, np.float64)[first[self.segment] + self.row]

    def graph(self, index: int) -> "jraph.GraphsTuple":
        """One graph, unbatched, in the precision in which it is stored."""
        # Not above: who writes or reads flat arrays only, need not wait for JAX.
        import jraph

        from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes

        ((segment, row, atoms, edges),) = self.places(np.array([index]))
        numbers = np.arange(self.n_node[index], dtype=np.int32)
        one = slice(row, row + 1)
        labels = {
            name: getattr(segment, name)[atoms if name == "forces" else one]
            for name in segment.labels
            if segment.is_labelled(name, row)
        }
        return jraph.GraphsTuple(
            nodes=GraphNodes(
                positions=segment.positions[atoms],
                species=self.species(segment.codes[atoms]).astype(np.int32),
                forces=labels.get("forces"),
            ),
            edges=GraphEdges(shifts=segment.shifts[edges].astype(np.int32)),
            senders=segment.senders[edges].astype(np.int32),
            receivers=np.repeat(numbers, segment.neighbor_counts[atoms]),
            globals=GraphGlobals(
                cell=segment.cell[one],
                weight=segment.weight[one],
                energy=labels.get("energy"),
                stress=labels.get("stress"),
            ),
            n_node=self.n_node[index : index + 1],
            n_edge=self.n_edge[index : index + 1],
        )


def gather_atoms(places: Sequence[Place], name: AtomField, out: np.ndarray) -> None:
    """Copy some graphs' rows of atoms, one after the other, into the beginning of ``out``."""
    _fill(out, [getattr(segment, name)[atoms] for segment, _, atoms, _ in places])


def gather_edges(places: Sequence[Place], counts: np.ndarray) -> SortedEdges:
    """The edges of some graphs, numbered through.

    Args:
        places: of the graphs.
        counts: ``[n_atoms]``, number of edges that each of their atoms receives.
    """
    n_edge = np.array([edges.stop - edges.start for *_, edges in places], dtype=np.int64)
    n_node = np.array([atoms.stop - atoms.start for *_, atoms, _ in places], dtype=np.int64)
    pieces = [segment.shifts[edges] for segment, *_, edges in places]
    shifts = np.concatenate([np.zeros((0, 3), dtype=np.int8), *pieces])
    senders = _numbered_through(places, "senders", n_node, n_edge, np.int32)
    if any(segment.reverse is None for segment, *_ in places):
        return SortedEdges(senders, shifts, counts, None)
    reverse = _numbered_through(places, "reverse", n_edge, n_edge, np.int64)
    return SortedEdges(senders, shifts, counts, reverse)


def subtract_atomic_energies(store: GraphStore, atomic_energies: np.ndarray) -> np.ndarray | None:
    """``[n_graphs]``: energies minus the sum of atomic energies, eV, in float64.

    Args:
        store: the graphs.
        atomic_energies: ``[n_species]``, eV.

    Returns:
        NaN where a graph has no energy; ``None`` if none can have.
    """
    if "energy" not in store.labels:
        return None
    by_code = np.asarray(atomic_energies, dtype=np.float64)
    if store.species_of_code is not None:
        by_code = np.where(store.species_of_code < 0, 0.0, by_code[store.species_of_code])
    return store.column("energy") - store.sum_over_atoms("codes", lambda codes: by_code[codes])


def _numbered_through(
    places: Sequence[Place], name: EdgeField, sizes: np.ndarray, n_edge: np.ndarray, dtype: Any
) -> np.ndarray:
    """Numbers that count from each graph's first, as counted from the first of all."""
    numbers = np.repeat((np.cumsum(sizes) - sizes).astype(dtype), n_edge)
    own = np.empty(len(numbers), dtype=dtype)
    _fill(own, [getattr(segment, name)[edges] for segment, *_, edges in places])
    return numbers + own


def _fill(out: np.ndarray, pieces: list[np.ndarray]) -> None:
    if pieces:
        np.concatenate(pieces, out=out[: sum(map(len, pieces))], casting="same_kind")


def _sum_by_graph(values: np.ndarray, segment: Segment) -> np.ndarray:
    starts = segment.node_ends - segment.n_node
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def _joined(arrays: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(arrays, dtype=dtype) if arrays else np.zeros(0, dtype=dtype)
