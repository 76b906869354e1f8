"""Equivariant messages: the sum over neighbours of ``R * (h x Y)`` without a tensor per edge.

The literal form couples each edge's features h with its spherical harmonics Y to a message and adds
the messages up. Coupling is linear, so it commutes with the sum: here the plain products of the
components are added up over the neighbours as small dense matrix products, and the sums are
coupled, once per node.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mlip_core.models.batched_product import multiply_each
from mlip_core.models.edge_geometry import edge_geometry, pair_lengths
from mlip_core.models.equivariant.coupling import add_up, couple_products, unstack
from mlip_core.models.equivariant.irreps import Irrep, natural, products
from mlip_core.models.equivariant.spherical_harmonics import spherical_harmonics
from mlip_core.models.neighbors import pairs_to_edges, sum_runs, take_senders
from mlip_core.typing import EdgeBlocks
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any


class Path(NamedTuple):
    """One way to couple node features with the harmonics of a degree."""

    irrep_in: Irrep
    degree: int
    irrep_out: Irrep


class Edges(NamedTuple):
    """What messages need to know of the edges.

    Attributes:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        harmonics: for each degree l, ``[2 l + 1, n_edges]``.
        lengths: ``[n_pairs]`` or ``[n_edges]`` as of ``radial``, Å; beyond the cutoff for those
            that do not count.
        radial: ``[n_pairs, n_basis]`` if the description of the edges names pairs, otherwise
            ``[n_edges, n_basis]``; zero for those that do not count.
        is_within: ``[n_pairs]`` or ``[n_edges]``, whether they count.
        blocks: the order of the edges, if known.
    """

    senders: Array
    receivers: Array
    harmonics: Sequence[Array]
    lengths: Array
    radial: Array
    is_within: Array
    blocks: EdgeBlocks | None


def embed_edges(
    vectors: Array,
    senders: Array,
    receivers: Array,
    blocks: EdgeBlocks | None,
    *,
    cutoff: float,
    l_max: int,
    radial_embedding: Callable[[Array], Array],
) -> Edges:
    """Spherical harmonics of edges, and the radial embedding of their lengths.

    Args:
        vectors: ``[n_edges, 3]``, Å.
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        blocks: the order of the edges, if known.
        cutoff: Å.
        l_max: highest degree of the harmonics.
        radial_embedding: from lengths ``[n]``, Å, to ``[n, n_basis]``, zero beyond the cutoff.
    """
    geometry = edge_geometry(vectors, cutoff)
    lengths = pair_lengths(geometry.lengths, blocks, cutoff)
    return Edges(
        senders=senders,
        receivers=receivers,
        harmonics=spherical_harmonics(l_max, geometry.directions),
        lengths=lengths,
        radial=radial_embedding(lengths),
        is_within=lengths < cutoff,
        blocks=blocks,
    )


def message_paths(
    irreps_in: Sequence[Irrep], l_max: int, irreps_out: Sequence[Irrep] | None = None
) -> list[Path]:
    """All paths to some irreps, in the order of the file format's radial weights.

    Grouped by output irrep; within a group the path over degree 0, then by input irrep and degree.

    Args:
        irreps_in: irreps of the features.
        l_max: highest degree of the harmonics.
        irreps_out: what to couple to; default the natural irreps up to ``l_max``.
    """
    paths = []
    for irrep_out in irreps_out or [natural(degree) for degree in range(l_max + 1)]:
        if irrep_out in irreps_in:
            paths.append(Path(irrep_out, 0, irrep_out))
        paths += [
            Path(irrep_in, degree, irrep_out)
            for irrep_in in irreps_in
            for degree in range(1, l_max + 1)
            if irrep_out in products(irrep_in, natural(degree))
        ]
    return paths


def pass_messages(
    features: Mapping[Irrep, Array],
    edges: Edges,
    radial_weights: Array,
    paths: Sequence[Path],
) -> dict[Irrep, Array]:
    """Sum over the neighbours of each node of the coupled messages.

    Args:
        features: of the senders, each ``[2 l + 1, n_nodes, multiplicity]``.
        edges: the edges.
        radial_weights: ``[n, sum of the multiplicities of the paths' input irreps]`` for each row
            of ``edges.radial``, zero for those that do not count.
        paths: the couplings, in the order of ``radial_weights``.

    Returns:
        For each output irrep ``[2 l + 1, n_nodes, sum of the multiplicities of its paths]``, paths
        side by side in their order.
    """
    n_nodes = next(iter(features.values())).shape[1]
    gathered = _gather(features, edges)
    if edges.blocks is not None and edges.blocks.pairs is not None:
        radial_weights = pairs_to_edges(radial_weights, edges.blocks)
    widths = [features[path.irrep_in].shape[2] for path in paths]
    weights = dict(zip(paths, _split(tuple(widths), radial_weights), strict=True))
    coupled: dict[Path, Array] = {}
    for degree in sorted({_degree_of_sum(path) for path in paths}):
        members = [path for path in paths if _degree_of_sum(path) == degree]
        columns = [
            _columns(gathered[path.irrep_in], weights[path], edges, path) for path in members
        ]
        flat = jnp.concatenate([x for own in columns for x in own], axis=1)
        sums = _sum_over_neighbours(edges, degree, flat, n_nodes)
        sizes = [sum(x.shape[1] for x in own) for own in columns]
        for path, own_sums in zip(members, lax.split(sums, sizes, axis=2), strict=True):
            is_coupled = path.irrep_out.degree == 0
            coupled[path] = own_sums if is_coupled else _couple_sums(own_sums, path)
    return {
        irrep: jnp.concatenate([coupled[path] for path in paths if path.irrep_out == irrep], axis=2)
        for irrep in dict.fromkeys(path.irrep_out for path in paths)
    }


def _degree_of_sum(path: Path) -> int:
    """Of the harmonics that products are summed with: none if they are coupled edge by edge."""
    return 0 if path.irrep_out.degree == 0 else path.degree


def _columns(features: Sequence[Array], weights: Array, edges: Edges, path: Path) -> list[Array]:
    """What is summed over the neighbours for a path, arrays ``[n_edges, multiplicity]``.

    The weighted components of the features; for scalar messages the weighted message itself,
    which is less than all products of components.
    """
    if path.irrep_out.degree > 0 or path.degree == 0:
        return [weights * x for x in features]
    components = unstack(edges.harmonics[path.degree], axis=0)
    products = zip(features, components, strict=True)
    scalar = add_up(x * y[:, None] for x, y in products)
    return [(2 * path.degree + 1) ** -0.5 * weights * scalar]


def _couple_sums(sums: Array, path: Path) -> Array:
    """Couple summed products ``[2 degree + 1, n_nodes, (2 l_in + 1) * multiplicity]``."""
    degree, n_nodes, _ = sums.shape
    products = sums.reshape(degree, n_nodes, path.irrep_in.dim, -1).transpose(2, 0, 1, 3)
    products = products.reshape(-1, *products.shape[2:])
    return couple_products(products, path.irrep_in.degree, path.degree, path.irrep_out.degree)


def _gather(features: Mapping[Irrep, Array], edges: Edges) -> dict[Irrep, list[Array]]:
    """The components of the senders' features, each ``[n_edges, multiplicity]``, in one gather."""
    components = [part for x in features.values() for part in unstack(x, axis=0)]
    flat = jnp.concatenate(components, axis=1)
    gathered = take_senders(flat, edges.senders, edges.receivers, edges.blocks)
    parts = iter(_split(tuple(x.shape[1] for x in components), gathered))
    return {irrep: [next(parts) for _ in range(irrep.dim)] for irrep in features}


def _sum_over_neighbours(edges: Edges, degree: int, columns: Array, n_nodes: int) -> Array:
    """Sum of ``columns x harmonics`` over the edges of each receiver.

    Args:
        edges: the edges.
        degree: of the harmonics.
        columns: ``[n_edges, n_columns]``.
        n_nodes: how many receivers there are.

    Returns:
        ``[2 degree + 1, n_nodes, n_columns]``.
    """
    size = edges.blocks.size if edges.blocks else 1
    in_runs = columns.reshape(-1, size, columns.shape[1])
    if degree == 0:
        runs = in_runs.sum(axis=1)[:, None]
    else:
        harmonics = edges.harmonics[degree].reshape(2 * degree + 1, -1, size)
        runs = multiply_each(harmonics.swapaxes(0, 1), in_runs)
    sums = sum_runs(runs, edges.receivers[::size], edges.blocks, n_nodes)
    return sums.swapaxes(0, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _split(widths: tuple[int, ...], x: Array) -> tuple[Array, ...]:
    """Columns that stand side by side, ``[n, sum of the widths]`` to ``[n, width]`` each."""
    return tuple(lax.split(x, widths, axis=1))


@jax.custom_vjp
def _join(*parts: Array) -> Array:
    """The transpose of ``_split``."""
    return _concatenate(*parts)


# Apart: loops into which XLA's CPU backend fuses a concatenation are not vectorised.
@compiled_apart
def _concatenate(*parts: Array) -> Array:
    return jnp.concatenate(parts, axis=1)


_split.defvjp(
    lambda widths, x: (_split(widths, x), None),
    lambda _, __, cotangents: (_join(*cotangents),),
)
_join.defvjp(
    lambda *parts: (_join(*parts), parts),
    lambda parts, cotangent: _split(tuple(part.shape[1] for part in parts), cotangent),
)
