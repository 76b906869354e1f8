"""Equivariant messages: the sum over neighbours of ``R * (h x Y)`` without a tensor per edge.

The literal form couples each edge's features h with its spherical harmonics Y to a message and adds
the messages up. Coupling is linear, so it commutes with the sum: here the plain products of the
components are added up over the neighbours as small dense matrix products, and the sums are
coupled, once per node.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mlip_core.models.equivariant.coupling import Components, couple_products, unstack
from mlip_core.models.equivariant.irreps import Irrep, natural, products
from mlip_core.typing import EdgeBlocks

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
        harmonics: for each degree l, ``[n_edges, 2 l + 1]``.
        radial: ``[n_edges, n_basis]``, zero for edges that do not count.
        is_within: ``[n_edges]``, whether the edge counts.
        blocks: the order of the edges, if known.
    """

    senders: Array
    receivers: Array
    harmonics: Sequence[Array]
    radial: Array
    is_within: Array
    blocks: EdgeBlocks | None


def message_paths(irreps_in: Sequence[Irrep], l_max: int) -> list[Path]:
    """All paths to natural irreps up to ``l_max``, in the order of the file format's radial
    weights.

    Grouped by output irrep; within a group the path over degree 0, then by input irrep and degree.
    """
    paths = []
    for irrep_out in (natural(degree) for degree in range(l_max + 1)):
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
        features: of the senders, each ``[2 l + 1, n_nodes, channels]``.
        edges: the edges.
        radial_weights: ``[n_edges, n_paths * channels]``, zero for edges that do not count.
        paths: the couplings, in the order of ``radial_weights``.

    Returns:
        For each output irrep ``[2 l + 1, n_nodes, n_paths_of_it * channels]``.
    """
    _, n_nodes, n_channels = next(iter(features.values())).shape
    gathered = _gather(features, edges.senders)
    weights = radial_weights.reshape(-1, len(paths), 1, n_channels)
    by_path = dict(zip(paths, lax.split(weights, (1,) * len(paths), axis=1), strict=True))
    coupled: dict[Path, list[Array]] = {}
    for degree in sorted({path.degree for path in paths}):
        members = [path for path in paths if path.degree == degree]
        columns = [by_path[path][:, 0] * gathered[path.irrep_in] for path in members]
        sums = _sum_over_neighbours(edges, degree, jnp.concatenate(columns, axis=1), n_nodes)
        dims = [path.irrep_in.dim for path in members]
        for path, own_sums in zip(members, lax.split(sums, dims), strict=True):
            by_component = [unstack(row, axis=0) for row in unstack(own_sums, axis=0)]
            coupled[path] = couple_products(by_component, path.irrep_out.degree)
    return {
        irrep: _side_by_side([coupled[path] for path in paths if path.irrep_out == irrep])
        for irrep in dict.fromkeys(path.irrep_out for path in paths)
    }


def _side_by_side(couplings: Sequence[Components]) -> Array:
    """``[2 l + 1, n_nodes, n_couplings * channels]``."""
    components = zip(*couplings, strict=True)
    return jnp.stack([jnp.concatenate(component, axis=1) for component in components])


def _gather(features: Mapping[Irrep, Array], senders: Array) -> dict[Irrep, Array]:
    """The senders' features, each ``[n_edges, 2 l + 1, channels]``, in one gather."""
    stacked = jnp.concatenate(list(features.values())).swapaxes(0, 1)[senders]
    parts = lax.split(stacked, [irrep.dim for irrep in features], axis=1)
    return dict(zip(features, parts, strict=True))


def _sum_over_neighbours(edges: Edges, degree: int, columns: Array, n_nodes: int) -> Array:
    """Sum of ``columns x harmonics`` over the edges of each receiver.

    Args:
        edges: the edges.
        degree: of the harmonics.
        columns: ``[n_edges, n_columns, channels]``.
        n_nodes: how many receivers there are.

    Returns:
        ``[n_columns, 2 degree + 1, n_nodes, channels]``.
    """
    _, n_columns, n_channels = columns.shape
    size = edges.blocks.size if edges.blocks else 1
    flat = columns.reshape(-1, size, n_columns * n_channels)
    if degree == 0:
        blocks = flat.sum(axis=1)[:, None]
    else:
        harmonics = edges.harmonics[degree].reshape(-1, size, 2 * degree + 1)
        blocks = jnp.einsum("bkm,bkf->bmf", harmonics, flat)
    sums = jax.ops.segment_sum(blocks, edges.receivers[::size], n_nodes)
    split = sums.reshape(n_nodes, 2 * degree + 1, n_columns, n_channels)
    return split.transpose(2, 1, 0, 3)
