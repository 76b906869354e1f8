"""Sums over neighbours of weight times feature times harmonic, and all their derivatives, as loops.

For an edge e from sender s to receiver r, with weights w of its pair, features h of the sender and
harmonics y, what is summed is

    outer products    S[i, m, r, c] = sum over e of  w[e, c] h[i, s, c] y[m, e]
    scalar products   S[r, c]       = sum over e of  w[e, c] sum over i of h[i, s, c] y[i, e]

with components i and m and channels c. Multiplied by partners g of the shape of S and added up,
either is a number that is linear in w, h, y and g. Its derivatives by these four are the sums
themselves and their derivatives, and each is a kernel here: a loop over edges or neighbours that
gathers what it needs and writes nothing but its result, where automatic differentiation would write
tensors for each edge and scatter them. Derivatives of the derivatives are the same kernels again,
or rather how these change along directions of their factors, which is one loop, too.

Derivatives of the first two orders are declared so, which is what trainings on forces need. Those
of higher orders are found automatically: right, but slow. (Forward-mode differentiation is not
declared.)
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from mlip_core.models.equivariant.coupling import add_up
from mlip_core.typing import EdgeBlocks
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any
Factors = tuple[Any, Any, Any]
Kernel = Callable[..., Array]

# How many products a loop is written out over: more take longer to compile and are no faster.
_MOST_PRODUCTS = 7


class Ends(NamedTuple):
    """Some edges and the nodes that they connect, each ``[n]``; edge ``n_edges`` for none."""

    edges: Array
    senders: Array
    receivers: Array


class Places(NamedTuple):
    """Where the data of edges are found.

    Attributes:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        blocks: the order of the edges. Weights are those of pairs if it names pairs, otherwise of
            edges.
        pair_reverses: of ``blocks.pair_edges``, if there are pairs.
        pair_ends: the sender and the receiver of ``blocks.pair_edges``, ``[2, n_pairs]``.
    """

    senders: Array
    receivers: Array
    blocks: EdgeBlocks
    pair_reverses: Array | None
    pair_ends: Array | None

    @property
    def rows(self) -> Array:
        """The row of an edge's weights."""
        return jnp.arange(len(self.senders)) if self.blocks.pairs is None else self.blocks.pairs

    @property
    def reverse_rows(self) -> Array:
        """The row of the weights of an edge's reverse."""
        return self.blocks.reverse if self.blocks.pairs is None else self.blocks.pairs

    @property
    def ends(self) -> tuple[Ends, ...]:
        """For each row of weights, an edge that it belongs to: once or, for pairs, twice."""
        if self.pair_ends is None:
            return (Ends(self.rows, self.senders, self.receivers),)
        first, second = self.pair_ends
        there, back = self.blocks.pair_edges, self.pair_reverses
        return Ends(there, first, second), Ends(back, second, first)


def find_places(senders: Array, receivers: Array, blocks: EdgeBlocks | None) -> Places | None:
    """Where things are found; nothing if the order of the edges does not say."""
    if blocks is None or blocks.reverse is None or blocks.runs is None:
        return None
    if blocks.pairs is None:
        return Places(senders, receivers, blocks, None, None)
    reverses = _take_or(len(senders), blocks.reverse, blocks.pair_edges)
    ends = jnp.stack([_take_or(0, x, blocks.pair_edges) for x in (senders, receivers)])
    return Places(senders, receivers, blocks, reverses, ends)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def neighbor_sums(
    are_scalar: tuple[bool, ...],
    weights: tuple[Array, ...],
    features: Array,
    harmonics: tuple[Array, ...],
    places: Places,
) -> tuple[Array, ...]:
    """Sums of outer or scalar products, several of the same features.

    Args:
        are_scalar: for each sum, whether it is of scalar products.
        weights: for each sum ``[n_rows, n_channels]``, zero for edges that do not count.
        features: of the senders, ``[2 l + 1, n_nodes, n_channels]``.
        harmonics: for each sum ``[2 degree + 1, n_edges]``.
        places: where the data of edges are found.

    Returns:
        For each sum ``[2 l + 1, 2 degree + 1, n_nodes, n_channels]``, or ``[n_nodes, n_channels]``
        if it is of scalar products.
    """
    factors = zip(are_scalar, weights, harmonics, strict=True)
    return tuple(_sums((w, features, y), places, is_scalar) for is_scalar, w, y in factors)


def plain_neighbor_sums(
    are_scalar: tuple[bool, ...],
    weights: tuple[Array, ...],
    features: Array,
    harmonics: tuple[Array, ...],
    senders: Array,
    receivers: Array,
) -> tuple[Array, ...]:
    """``neighbor_sums`` of edges in any order, by products for each edge that are scattered."""
    start = features[:, senders]

    def total(is_scalar: bool, w: Array, y: Array) -> Array:
        if is_scalar:
            products = w * jnp.sum(start * y[:, :, None], axis=0)
        else:
            products = w * start[:, None] * y[:, :, None]
        shape = (*products.shape[:-2], *features.shape[1:])
        return jnp.zeros(shape, products.dtype).at[..., receivers, :].add(products)

    return tuple(map(total, are_scalar, weights, harmonics))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _derivatives(
    are_scalar: tuple[bool, ...],
    weights: tuple[Array, ...],
    features: Array,
    harmonics: tuple[Array, ...],
    partners: tuple[Array, ...],
    places: Places,
) -> tuple[tuple[Array, ...], Array, tuple[Array, ...]]:
    """By weights, features and harmonics, of the sums' products with partners of their shape."""
    paths = list(zip(are_scalar, weights, harmonics, partners, strict=True))
    reverses = _of_reverses(harmonics, places)
    return (
        tuple(
            _by_weights((features, _at_ends(y, places), g), places, kind) for kind, _, y, g in paths
        ),
        _by_features((weights, reverses, partners), places, are_scalar),
        tuple(_by_harmonics((w, features, g), places, kind) for kind, w, _, g in paths),
    )


def _kept(inputs: Any) -> Any:
    """What derivatives need: as copies in name, since JAX 0.10 hands on inputs themselves.

    In a loop whose values are computed again (``remat``), it then mixes up which is which.
    """
    return lax.optimization_barrier(inputs)


def _sums_forward(are_scalar: tuple[bool, ...], *inputs: Any) -> tuple[Any, Any]:
    return neighbor_sums(are_scalar, *inputs), _kept(inputs)


def _sums_backward(are_scalar: tuple[bool, ...], inputs: Any, cotangents: Any) -> Any:
    *factors, places = inputs
    return *_derivatives(are_scalar, *factors, tuple(cotangents), places), None


def _derivatives_forward(are_scalar: tuple[bool, ...], *primals: Any) -> tuple[Any, Any]:
    inputs = jax.tree.map(lambda primal: primal.value, primals)
    return _derivatives(are_scalar, *inputs), _kept(inputs)


def _derivatives_backward(are_scalar: tuple[bool, ...], inputs: Any, cotangents: Any) -> Any:
    """The cotangents are directions for three factors: along them each kernel changes by these."""
    weights, h, harmonics, partners, places = inputs
    to_weights, to_h, to_harmonics = cotangents
    to_partners = tuple(SymbolicZero(jax.typeof(g)) for g in partners)
    by_weights, by_harmonics, by_partners = [], [], []
    for kind, w, to_w, y, to_y, g, to_g in zip(
        are_scalar, weights, to_weights, harmonics, to_harmonics, partners, to_partners, strict=True
    ):
        ends, to_ends = _at_ends(y, places), _at_ends(to_y, places)
        by_weights.append(_by_weights((h, ends, g), places, kind, (to_h, to_ends, to_g)))
        by_harmonics.append(_by_harmonics((w, h, g), places, kind, (to_w, to_h, to_g)))
        by_partners.append(_sums((w, h, y), places, kind, (to_w, to_h, to_y)))
    factors = (weights, _of_reverses(harmonics, places), partners)
    directions = (to_weights, _of_reverses(to_harmonics, places), to_partners)
    by_features = _by_features(factors, places, are_scalar, directions)
    return tuple(by_weights), by_features, tuple(by_harmonics), tuple(by_partners), None


neighbor_sums.defvjp(_sums_forward, _sums_backward)
_derivatives.defvjp(_derivatives_forward, _derivatives_backward, symbolic_zeros=True)


def _at_ends(y: Array, places: Places) -> tuple[Array, ...]:
    """Harmonics of the edges of each row of weights."""
    if isinstance(y, SymbolicZero):
        return (y,) * len(places.ends)
    return tuple(_take_or(0, y.T, ends.edges).T for ends in places.ends)


def _of_reverses(harmonics: tuple[Array, ...], places: Places) -> tuple[Array, ...]:
    return tuple(
        y if isinstance(y, SymbolicZero) else y[:, places.blocks.reverse] for y in harmonics
    )


# Each of these four is for three factors or, given directions for these, how it changes along them.


def _sums(factors: Factors, places: Places, is_scalar: bool, to: Any = None) -> Array | None:
    """By the partners: sums for ``(w, h, y)``."""
    return _add_groups(_evaluate(_groups_of_sums, is_scalar, factors, places, to), places)


def _by_weights(factors: Factors, places: Places, is_scalar: bool, to: Any = None) -> Array | None:
    """``[n_rows, n_channels]`` for ``(h, y at ends, g)``."""
    return _evaluate(_weights_of_ends, is_scalar, factors, places, to)


def _by_features(
    factors: Factors, places: Places, are_scalar: tuple[bool, ...], to: Any = None
) -> Array | None:
    """``[2 l + 1, n_nodes, n_channels]`` for ``(w, y of reverses, g)``, each of all sums."""
    return _add_groups(_evaluate(_groups_of_features, are_scalar, factors, places, to), places)


def _by_harmonics(
    factors: Factors, places: Places, is_scalar: bool, to: Any = None
) -> Array | None:
    """``[2 degree + 1, n_edges]`` for ``(w, h, g)``."""
    return _evaluate(_harmonics_of_edges, is_scalar, factors, places, to)


def _evaluate(
    kernel: Kernel, static: Any, factors: Factors, places: Places, directions: Any = None
) -> Array | None:
    """A kernel, or how it changes along directions for some of its factors.

    Nothing if all directions are known to be zero.
    """
    leaves: list[Array]
    structure: Any
    leaves, structure = jax.tree.flatten(factors)
    if directions is None:
        return _kernel_apart(kernel, static, structure, leaves, places)
    moves = structure.flatten_up_to(directions)
    moving = tuple(i for i, move in enumerate(moves) if not isinstance(move, SymbolicZero))
    if not moving:
        return None
    moves = [moves[i] for i in moving]
    return _change_apart(kernel, static, structure, moving, leaves, moves, places)


# Apart: XLA's CPU backend would share what several kernels gather, and write it out for that.
@functools.partial(compiled_apart, num_static=3)
def _kernel_apart(kernel: Kernel, static: Any, structure: Any, leaves: Any, places: Any) -> Array:
    return kernel(static, *structure.unflatten(leaves), places)


@functools.partial(compiled_apart, num_static=4)
def _change_apart(
    kernel: Kernel,
    static: Any,
    structure: Any,
    moving: tuple[int, ...],
    leaves: list[Array],
    moves: list[Array],
    places: Places,
) -> Array:
    def move(*moved: Array) -> Array:
        others = dict(zip(moving, moved, strict=True))
        at = [others.get(i, leaf) for i, leaf in enumerate(leaves)]
        return kernel(static, *structure.unflatten(at), places)

    return jax.jvp(move, [leaves[i] for i in moving], moves)[1]


def _groups_of_sums(is_scalar: bool, w: Array, h: Array, y: Array, places: Places) -> Array:
    if is_scalar:
        products = functools.partial(_scalar_products, w, h, y)
        return _sum_slots(products, len(h), places.rows, places)
    return _sum_slots(functools.partial(_outer_products, w, h, y), 1, places.rows, places)


def _groups_of_features(
    are_scalar: tuple[bool, ...],
    weights: tuple[Array, ...],
    harmonics: tuple[Array, ...],
    partners: tuple[Array, ...],
    places: Places,
) -> Array:
    factors = list(zip(are_scalar, weights, harmonics, partners, strict=True))

    def products(at: Slot) -> Array:
        return add_up(
            (_scalar_features if is_scalar else _outer_features)(w, y, g, at)
            for is_scalar, w, y, g in factors
        )

    n_products = sum(1 if is_scalar else len(y) for is_scalar, _, y, _ in factors)
    return _sum_slots(products, n_products, places.reverse_rows, places)


def _weights_of_ends(
    is_scalar: bool, h: Array, at_ends: tuple[Array, ...], g: Array, places: Places
) -> Array:
    weigh = _scalar_weights if is_scalar else _outer_weights
    return add_up(weigh(h, y, g, ends) for y, ends in zip(at_ends, places.ends, strict=True))


def _harmonics_of_edges(is_scalar: bool, w: Array, h: Array, g: Array, places: Places) -> Array:
    owners = places.receivers[:: places.blocks.size]
    if is_scalar:
        # Of the reverse edges: one array of products instead of one for each component.
        products = _take(w, places.reverse_rows) * _take(g, places.senders)
        return _products_in_runs(_take(h, owners), products)[:, places.blocks.reverse]
    w = _take(w, places.rows)
    return add_up(
        _products_in_runs(_take(g[i], owners), w * _take(h[i], places.senders))
        for i in range(len(h))
    )


def _products_in_runs(of_runs: Array, of_edges: Array) -> Array:
    """Scalar products over the channels, of ``[n, n_runs, c]`` and ``[n_edges, c]``."""
    n, n_runs, _ = of_runs.shape
    of_edges = of_edges.reshape(n_runs, -1, of_edges.shape[1])
    # In this order of axes XLA's CPU backend has a fast kernel.
    products = jnp.einsum("rmc,rkc->rmk", of_runs.swapaxes(0, 1), of_edges)
    return products.swapaxes(0, 1).reshape(n, -1)


class Slot(NamedTuple):
    """One edge of each of some groups of edges of one receiver.

    Attributes:
        rows: of their weights, ``[n_groups]``.
        senders: ``[n_groups]``.
        edges: which they are.
    """

    rows: Array
    senders: Array
    edges: slice


def _sum_slots(
    products: Callable[[Slot], Array], n_products: int, rows: Array, places: Places
) -> Array:
    """Sum over the edges of groups: ``[..., n_groups, n_channels]``.

    Args:
        products: of an edge of each group, of the same shape.
        n_products: how many of them ``products`` adds up.
        rows: ``[n_edges]``, of the weights.
        places: where the data of edges are found.
    """
    most = max(1, _MOST_PRODUCTS // n_products)
    size = max(n for n in range(1, most + 1) if places.blocks.size % n == 0)
    slots = (slice(first, None, size) for first in range(size))
    return add_up(products(Slot(rows[x], places.senders[x], x)) for x in slots)


def _add_groups(groups: Array | None, places: Places) -> Array | None:
    """Sum over the groups that the runs of each node have: ``[..., n_nodes, n_channels]``."""
    if groups is None:
        return None
    in_run = groups.shape[-2] * places.blocks.size // len(places.senders)
    index = jnp.asarray(places.blocks.runs)[:, :, None] * in_run + jnp.arange(in_run)
    return _add_rows(groups, index.reshape(len(index), -1))


@compiled_apart
def _add_rows(x: Array, index: Array) -> Array:
    return add_up(_take(x, column, or_zero=True) for column in index.T)


def _outer_products(w: Array, h: Array, y: Array, at: Slot) -> Array:
    # Spread before they are gathered: XLA would write out what a loop reads more than once.
    shape = (len(h), len(y))
    w = jnp.broadcast_to(w, (*shape, *w.shape))
    h = jnp.broadcast_to(h[:, None], (*shape, *h.shape[1:]))
    return _take(w, at.rows) * _take(h, at.senders) * y[:, at.edges, None]


def _scalar_products(w: Array, h: Array, y: Array, at: Slot) -> Array:
    products = (_take(h[i], at.senders) * y[i, at.edges, None] for i in range(len(h)))
    return _take(w, at.rows) * add_up(products)


def _outer_features(w: Array, y: Array, g: Array, at: Slot) -> Array:
    w = jnp.broadcast_to(w, (len(g), *w.shape))
    products = (_take(g[:, m], at.senders) * y[m, at.edges, None] for m in range(len(y)))
    return _take(w, at.rows) * add_up(products)


def _scalar_features(w: Array, y: Array, g: Array, at: Slot) -> Array:
    w, g = (jnp.broadcast_to(x, (len(y), *x.shape)) for x in (w, g))
    return _take(w, at.rows) * _take(g, at.senders) * y[:, at.edges, None]


def _outer_weights(h: Array, y: Array, g: Array, ends: Ends) -> Array:
    def component(i: int) -> Array:
        products = (_take(g[i, m], ends.receivers) * y[m, :, None] for m in range(len(y)))
        return _take(h[i], ends.senders) * add_up(products)

    return add_up(component(i) for i in range(len(h)))


def _scalar_weights(h: Array, y: Array, g: Array, ends: Ends) -> Array:
    products = (_take(h[i], ends.senders) * y[i, :, None] for i in range(len(h)))
    return _take(g, ends.receivers) * add_up(products)


def _take(x: Array, index: Array, or_zero: bool = False) -> Array:
    """Rows of ``[..., n, n_channels]``."""
    axis = x.ndim - 2
    others = tuple(i for i in range(x.ndim) if i != axis)
    return lax.gather(
        x,
        index[:, None],
        lax.GatherDimensionNumbers(
            offset_dims=others, collapsed_slice_dims=(axis,), start_index_map=(axis,)
        ),
        slice_sizes=(*x.shape[:axis], 1, x.shape[-1]),
        mode="fill" if or_zero else "promise_in_bounds",
        fill_value=0 if or_zero else None,
    )


def _take_or(other: int, x: Array, index: Array) -> Array:
    """Rows of ``[n, ...]``, and another value where there is none."""
    x = jnp.asarray(x)
    return x.at[index].get(mode="fill", fill_value=other, wrap_negative_indices=False)
