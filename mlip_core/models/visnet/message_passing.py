"""The layers of ViSNet: attention, vector-scalar interaction, update of the edges."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

from mlip_core.models.channel_mixing import mix_channels
from mlip_core.models.options import parse_activation
from mlip_core.models.visnet.config import VisnetConfig
from mlip_core.models.visnet.edges import Edges
from mlip_core.models.visnet.layers import Affine, Kernel, LayerNorm
from mlip_core.models.visnet.vector_norm import normalize_vectors

Array = Any
Weights = tuple[Array, Array]


class State(NamedTuple):
    """Features between layers.

    Attributes:
        scalars: of the nodes, ``[n_nodes, num_channels]``.
        vectors: of the nodes, ``[n_nodes, n_components, num_channels]``; ``None`` while they are
            zero, before the first layer.
        edge_scalars: ``[n_pairs, num_channels]`` while they are the same for both directions, that
            is, until vectors change them; then ``[n_edges, num_channels]``.
        is_symmetric: which of the two ``edge_scalars`` is.
    """

    scalars: Array
    vectors: Array | None
    edge_scalars: Array
    is_symmetric: bool


class VisnetLayer(nn.Module):
    """One layer: attention over neighbours, update of scalars, vectors and edges.

    Linear layers that act on vectors are part of the file format in the first layer, too, where
    vectors are zero: there they have no effect and are left out. Where a layer has several outputs
    its matrix is split rather than its result, which is larger by far.
    """

    config: VisnetConfig
    is_last: bool

    @nn.compact
    def __call__(self, state: State, edges: Edges) -> State:
        """The features after this layer."""
        vectors = state.vectors
        if vectors is not None:
            vectors = normalize_vectors(vectors, self.config.l_max, self.config.vecnorm_type)
        key, value, *gate = self._filters(state, edges)
        messages = self._attend(LayerNorm(name="layernorm")(state.scalars), key, value, edges)
        received = self._pass_vectors(messages, vectors, edges)
        output = self._affine("o_proj", 3)
        kernels = self._vector_kernels()
        summed = edges.sum_edges(messages)
        if vectors is None:
            plain = _apply(_columns(output, 2), summed)
            return state._replace(scalars=state.scalars + plain, vectors=received)
        first, second, third, *ends = [mix_channels(vectors, kernel) for kernel in kernels]
        of_vectors, of_products, plain = _split(_apply(output, summed), self.config.num_channels)
        products = jnp.sum(first * second, axis=1)
        edge_scalars, is_symmetric = state.edge_scalars, state.is_symmetric
        if not self.is_last:
            change = gate[0] * edges.multiply_rejections(*ends)
            edge_scalars = _on_edges(state, edges) + change
            is_symmetric = False
        return State(
            scalars=state.scalars + products * of_products + plain,
            vectors=state.vectors + third * of_vectors[:, None] + received,
            edge_scalars=edge_scalars,
            is_symmetric=is_symmetric,
        )

    def _filters(self, state: State, edges: Edges) -> Sequence[Array]:
        """What edges contribute to keys, values and, if wanted, the gates of their own update."""
        layers = [self._affine("dk_proj"), self._affine("dv_proj")]
        if not self.is_last:
            gate = self._affine("f_proj")
            layers += [] if state.vectors is None else [gate]
        filters = [self._activation(_apply(layer, state.edge_scalars)) for layer in layers]
        return [edges.of_pairs(x) for x in filters] if state.is_symmetric else filters

    def _attend(self, scalars: Array, edge_key: Array, edge_value: Array, edges: Edges) -> Array:
        """Scalar messages ``[n_edges, num_channels]``."""
        query, key, value = (
            _apply(self._affine(name), scalars) for name in ("q_proj", "k_proj", "v_proj")
        )
        key, value = edges.of_senders(key), edges.of_senders(value)
        overlaps = edges.in_runs(key * edge_key) * edges.of_receivers(query)[:, None]
        heads = self._heads(scalars.dtype)
        logits = overlaps.reshape(key.shape) @ heads
        attention = parse_activation(self.config.attn_activation)(logits)
        attention = attention * edges.of_pairs(edges.weights)
        return value * edge_value * (attention @ heads.T)

    def _pass_vectors(self, messages: Array, vectors: Array | None, edges: Edges) -> Array:
        """Sum over the neighbours of vector messages, ``[n_nodes, n_components, num_channels]``."""
        layer = self._affine("s_proj", 2)
        received = edges.sum_harmonics(self._activation(_apply(_columns(layer, 1), messages)))
        if vectors is None:
            return received
        weights = self._activation(_apply(_columns(layer, 0), messages))
        return received + edges.sum_vectors(jnp.where(edges.is_within, weights, 0), vectors)

    def _vector_kernels(self) -> Sequence[Array]:
        """Matrices of all that is made of the vectors."""
        kernels = [*_split(self._kernel("vec_proj", 3), self.config.num_channels)]
        if not self.is_last:
            kernels += [self._kernel("w_trg_proj"), self._kernel("w_src_proj")]
        return kernels

    def _heads(self, dtype: Any) -> Array:
        """Which channel belongs to which head, ``[num_channels, num_heads]`` of ones and zeros."""
        n_heads = self.config.num_heads
        size = self.config.num_channels // n_heads
        return jnp.asarray(np.repeat(np.eye(n_heads), size, axis=0), dtype)

    def _activation(self, x: Array) -> Array:
        return parse_activation(self.config.activation)(x)

    def _affine(self, name: str, factor: int = 1) -> Weights:
        n = self.config.num_channels
        return Affine(n, factor * n, name=name)()

    def _kernel(self, name: str, factor: int = 1) -> Array:
        n = self.config.num_channels
        return Kernel(n, factor * n, name=name)()


def _on_edges(state: State, edges: Edges) -> Array:
    return edges.of_pairs(state.edge_scalars) if state.is_symmetric else state.edge_scalars


def _apply(layer: Weights, x: Array) -> Array:
    kernel, bias = layer
    return x @ kernel + bias


def _columns(layer: Weights, block: int) -> Weights:
    """One of the blocks of columns of a layer whose output is several times its input."""
    kernel, bias = layer
    n = len(kernel)
    return _split(kernel, n)[block], _split(bias, n)[block]


def _split(x: Array, width: int) -> Sequence[Array]:
    """Parts of equal width of the last axis."""
    return lax.split(x, (width,) * (x.shape[-1] // width), axis=x.ndim - 1)
