"""Initial values of parameters, drawn without compiling a program.

To compile a program that draws each parameter of a network takes seconds. Here a parameter carries
its distribution along as flax metadata, also through a trace by shapes alone, so that its values
can be drawn on the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from flax.traverse_util import flatten_dict, unflatten_dict

from mlip_core.utils.seeds import derive_seed

Array = Any


@dataclass(frozen=True)
class Initializer:
    """The distribution of ``mean + scale * x``; a flax initialiser.

    Attributes:
        mean: mean value, or that of each entry of a vector.
        scale: zero for a constant.
        is_uniform: whether x is uniform between -1 and 1; otherwise it is standard normal.
    """

    mean: float | tuple[float, ...] = 0.0
    scale: float = 0.0
    is_uniform: bool = False

    def __call__(self, key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        """Draw with a JAX key; the result is a ``Drawn``, which flax unboxes."""
        if self.is_uniform:
            x = jax.random.uniform(key, shape, dtype, minval=-1.0)
        else:
            x = jax.random.normal(key, shape, dtype)
        return Drawn(jnp.asarray(self.mean, dtype) + self.scale * x, self)

    def draw(self, seed: int, shape: Sequence[int]) -> np.ndarray:
        """Draw on the host, in float64."""
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1.0, 1.0, shape) if self.is_uniform else rng.standard_normal(shape)
        return np.asarray(self.mean) + self.scale * x


class Drawn(struct.PyTreeNode, nn.meta.AxisMetadata[Array]):
    """A parameter, or only its shape and type, with its distribution.

    Networks never see it: flax unboxes parameters where they are used.
    """

    value: Array
    initializer: Initializer = struct.field(pytree_node=False)

    def unbox(self) -> Array:
        """The parameter."""
        return self.value

    def replace_boxed(self, val: Array) -> "Drawn":
        """Another value of the same distribution."""
        return self.replace(value=val)

    def add_axis(self, _index: int, _params: dict[Any, Any]) -> "Drawn":
        """The same: a new axis does not change the distribution of its entries."""
        return self

    def remove_axis(self, _index: int, _params: dict[Any, Any]) -> "Drawn":
        """The same, see ``add_axis``."""
        return self


def normal(stddev: float) -> Initializer:
    """Normal distribution of mean zero."""
    return Initializer(scale=stddev)


def xavier_uniform(num_in: int, num_out: int) -> Initializer:
    """Uniform distribution that keeps the variance of features and gradients.

    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks
    (2010), eq. 16.
    """
    return Initializer(scale=(6.0 / (num_in + num_out)) ** 0.5, is_uniform=True)


def constant(values: np.ndarray) -> Initializer:
    """Always the same vector."""
    return Initializer(mean=tuple(values.tolist()))


ZEROS = Initializer()
ONES = Initializer(mean=1.0)


def draw_parameters(shapes: dict[str, Any], seed: int) -> dict[str, Any] | None:
    """Draw a tree of parameters, each by its name and the seed alone.

    Args:
        shapes: nested dictionaries with a ``Drawn`` shape and type for each parameter.
        seed: of all.

    Returns:
        The parameters; ``None`` if the distribution of one is not known, because its initialiser
        is not one of this module's.
    """
    leaves = flatten_dict(shapes, is_leaf=lambda _, node: isinstance(node, Drawn))
    if not all(isinstance(leaf, Drawn) for leaf in leaves.values()):
        return None
    drawn = {
        path: jnp.asarray(
            leaf.initializer.draw(derive_seed(seed, *path), leaf.value.shape), leaf.value.dtype
        )
        for path, leaf in leaves.items()
    }
    return unflatten_dict(drawn)
