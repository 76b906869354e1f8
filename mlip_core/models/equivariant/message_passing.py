"""Equivariant messages: the sum over neighbours of ``R * (h x Y)`` without a tensor per edge.

The literal form couples each edge's features h with its spherical harmonics Y to a message and adds
the messages up. Coupling is linear, so it commutes with the sum: here the plain products of the
components are added up over the neighbours (:mod:`.neighbor_sums`), and the sums are coupled, once
per node. Messages that are scalars are coupled edge by edge, which is less than all products.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mlip_core.models.edge_geometry import edge_geometry, pair_lengths
from mlip_core.models.equivariant.coupling import couple_products
from mlip_core.models.equivariant.irreps import Irrep, natural, products
from mlip_core.models.equivariant.neighbor_sums import (
    find_places,
    neighbor_sums,
    plain_neighbor_sums,
)
from mlip_core.models.equivariant.spherical_harmonics import spherical_harmonics
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
    widths = tuple(features[path.irrep_in].shape[2] for path in paths)
    weights = dict(zip(paths, _split(widths, radial_weights), strict=True))
    places = find_places(edges.senders, edges.receivers, edges.blocks)
    coupled: dict[Path, Array] = {}
    for irrep, senders_features in features.items():
        own = [path for path in paths if path.irrep_in == irrep]
        factors = (
            tuple(path.irrep_out.degree == 0 for path in own),
            tuple(weights[path] for path in own),
            senders_features,
            tuple(edges.harmonics[path.degree] for path in own),
        )
        if places is None:
            sums = plain_neighbor_sums(*factors, edges.senders, edges.receivers)
        else:
            sums = neighbor_sums(*factors, places)
        coupled |= {path: _couple_sums(x, path) for path, x in zip(own, sums, strict=True)}
    return {
        irrep: jnp.concatenate([coupled[path] for path in paths if path.irrep_out == irrep], axis=2)
        for irrep in dict.fromkeys(path.irrep_out for path in paths)
    }


def _couple_sums(sums: Array, path: Path) -> Array:
    """From sums of products of components to components of the path's output."""
    if path.irrep_out.degree == 0:
        return (2 * path.degree + 1) ** -0.5 * sums[None]
    if path.degree == 0:
        return sums[:, 0]
    products = sums.reshape(-1, *sums.shape[2:])
    return couple_products(products, path.irrep_in.degree, path.degree, path.irrep_out.degree)


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
