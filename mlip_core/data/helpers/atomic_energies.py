"""Atomic energies: what of a structure's energy is a sum over its atoms' elements."""

import difflib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers as number_of_symbol
from ase.data import chemical_symbols

from mlip_core.data.helpers.atomic_number_table import AtomicNumberTable
from mlip_core.utils.errors import UserError

if TYPE_CHECKING:
    import jraph

_logger = logging.getLogger(__name__)


def compute_average_e0s_from_graphs(
    graphs: "list[jraph.GraphsTuple]", z_table: AtomicNumberTable | None = None
) -> dict[int, float]:
    """Least-squares atomic energies in eV by species index, for the species that occur.

    Graphs without energy do not count. The table is for names of elements in messages. See
    :func:`fit_atomic_energies` for what happens when the compositions do not determine the
    energies.
    """
    labelled = [graph for graph in graphs if graph.globals.energy is not None]
    if not labelled:
        return {}
    n_species = 1 + max(int(graph.nodes.species.max()) for graph in labelled)
    counts = np.array([np.bincount(g.nodes.species, minlength=n_species) for g in labelled])
    present = np.flatnonzero(counts.any(axis=0))
    energies = np.array([float(graph.globals.energy[0]) for graph in labelled])
    names = [_name(int(index), z_table) for index in present]
    fitted = fit_atomic_energies(counts[:, present], energies, names)
    return dict(zip(present.tolist(), fitted.tolist(), strict=True))


def fit_atomic_energies(
    counts: np.ndarray, energies: np.ndarray, elements: Iterable[object]
) -> np.ndarray:
    """Atomic energies that explain total energies best; see :func:`fit_in_chunks`.

    Args:
        counts: ``[n_structures, n_elements]``, atoms of each element in each structure.
        energies: ``[n_structures]``, eV.
        elements: names for the warning.

    Returns:
        ``[n_elements]``, eV.
    """
    return fit_in_chunks(lambda: [(counts, energies)], list(elements))


def fit_in_chunks(
    chunks: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], elements: Sequence[object]
) -> np.ndarray:
    """Atomic energies that explain total energies best, by least squares.

    The normal equations are summed exactly, so that neither the order of the structures nor how
    they are cut into chunks changes a digit, and refined once by the residuals of a first solution,
    so that squaring the matrix costs no digits either.

    If the compositions do not determine the energies (say, all structures are the same molecule),
    the solution of minimum norm is taken and a warning logged: sums over structures of those
    compositions are right, single values have no meaning and other compositions are extrapolated.

    Args:
        chunks: called for each pass; gives ``counts [n, n_elements]``, atoms of each element in
            each structure, and ``energies [n]``, eV, chunk by chunk.
        elements: names for the warning.

    Returns:
        ``[n_elements]``, eV.
    """
    gram = np.zeros((len(elements), len(elements)), dtype=np.int64)
    for counts, _ in chunks():
        gram += counts.T.astype(np.int64) @ counts.astype(np.int64)
    inverse, rank = _pseudo_inverse(gram)
    if rank < len(elements):
        _warn_of_rank(rank, elements)
    solution = inverse @ _exact_projection(chunks, np.zeros(len(elements)))
    return solution + inverse @ _exact_projection(chunks, solution)


def parse_atomic_energies(energies: Mapping[str | int, float]) -> dict[int, float]:
    """Atomic energies by atomic number from a user's table by symbol or atomic number.

    Raises:
        UserError: if a key is no element, naming the nearest symbol; if an element is given twice
            or an energy is not finite.
    """
    parsed: dict[int, float] = {}
    for key, energy in energies.items():
        z = parse_element(key)
        if z in parsed:
            raise UserError(f"atomic energies: {chemical_symbols[z]} is given twice; keep one")
        if not np.isfinite(energy):
            raise UserError(f"atomic energies: the energy of {key} is not finite: {energy}")
        parsed[z] = float(energy)
    return dict(sorted(parsed.items()))


def parse_element(key: str | int) -> int:
    """Atomic number of a symbol such as "Si", or of an atomic number as integer or string.

    Raises:
        UserError: if there is no such element, naming the nearest symbol.
    """
    text = str(key).strip()
    z = int(text) if text.isdecimal() else number_of_symbol.get(text, 0)
    if 1 <= z < len(chemical_symbols):
        return z
    symbols = chemical_symbols[1:]
    (near,) = difflib.get_close_matches(text.capitalize(), symbols, n=1, cutoff=0.0)
    raise UserError(f'atomic energies: unknown element "{key}"; did you mean "{near}"?')


def require_elements(energies: Mapping[int, float], elements: Iterable[int]) -> dict[int, float]:
    """The energies of ``elements`` only, ascending.

    Raises:
        UserError: if one of them has no energy.
    """
    missing = sorted(set(elements) - set(energies))
    if missing:
        symbols = ", ".join(chemical_symbols[z] for z in missing)
        raise UserError(f"atomic energies: no energy for {symbols}, which the dataset has; add it")
    return {z: energies[z] for z in sorted(set(elements))}


def _name(species: int, z_table: AtomicNumberTable | None) -> str:
    return f"species {species}" if z_table is None else chemical_symbols[z_table.zs[species]]


def _pseudo_inverse(gram: np.ndarray) -> tuple[np.ndarray, int]:
    """Of a symmetric matrix of whole numbers, which are exact, and its rank."""
    values, vectors = np.linalg.eigh(gram.astype(np.float64))
    is_positive = values > 8 * len(values) * np.finfo(np.float64).eps * values.max(initial=0.0)
    kept = vectors[:, is_positive]
    return kept / values[is_positive] @ kept.T, int(is_positive.sum())


def _exact_projection(
    chunks: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], solution: np.ndarray
) -> np.ndarray:
    """``[n_elements]``: sum over structures of counts times what a solution leaves unexplained."""

    def terms(element: int) -> Iterator[float]:
        for counts, energies in chunks():
            residuals = energies - (counts * solution).sum(axis=1)
            yield from (counts[:, element] * residuals).tolist()

    return np.array([math.fsum(terms(element)) for element in range(len(solution))])


def _warn_of_rank(rank: int, elements: Sequence[object]) -> None:
    _logger.warning(
        "The compositions of the training set have rank %d for %d elements (%s): they do not"
        " determine atomic energies, and the least-squares solution of minimum norm is used."
        " Sums over such compositions are right, single values have no meaning; give"
        " atomic energies to predict other compositions.",
        rank,
        len(elements),
        ", ".join(map(str, elements)),
    )
