"""Named choices of the model configs and the functions behind them.

JAX is imported by the functions, so that configs can be read without it.
"""

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any

Array = Any
Function = Callable[..., Any]


class Activation(Enum):
    """Activation functions."""

    TANH = "tanh"
    SILU = "silu"
    RELU = "relu"
    ELU = "elu"
    SWISH = "swish"
    SIGMOID = "sigmoid"
    NONE = "none"


class RadialBasis(Enum):
    """Radial basis functions."""

    BESSEL = "bessel"


class RadialEnvelope(Enum):
    """Envelopes that take the radial basis to zero at the cutoff."""

    POLYNOMIAL = "polynomial_envelope"
    SOFT = "soft_envelope"


class VecNormType(Enum):
    """How ViSNet normalises its vector features before each layer."""

    RMS = "rms"
    MAX_MIN = "max_min"
    NONE = "none"


class VisnetRBF(Enum):
    """Radial bases known to ViSNet; its config knows no other than ``EXPNORM``."""

    GAUSS = "gauss"
    EXPNORM = "expnorm"


def parse_activation(act: Activation | str) -> Function:
    """The function of an activation's name."""
    import jax

    functions: dict[Activation, Function] = {
        Activation.TANH: jax.numpy.tanh,
        Activation.SILU: jax.nn.silu,
        Activation.RELU: jax.nn.relu,
        Activation.ELU: jax.nn.elu,
        Activation.SWISH: jax.nn.swish,
        Activation.SIGMOID: jax.nn.sigmoid,
        Activation.NONE: lambda x: x,
    }
    return functions[Activation(act)]


def normalized_activation(act: Activation | str) -> Function:
    """The activation scaled so that its square averages to one for standard normal inputs."""
    function, scale = parse_activation(act), _normalization(Activation(act))
    return lambda x: scale * function(x)


@cache
def _normalization(act: Activation) -> float:
    """The scale that ``e3nn`` uses, from a million quantiles of the normal distribution."""
    import jax
    import numpy as np
    from scipy.special import ndtri

    count = 1_000_001
    samples = ndtri(np.arange(1, count + 1) / (count + 1))
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        values = np.asarray(parse_activation(act)(jax.numpy.asarray(samples, float)))
    return float(np.mean(values**2) ** -0.5)
