"""Named choices of the model configs and the functions behind them.

JAX is imported by the functions, so that configs can be read without it.
"""

from collections.abc import Callable
from enum import Enum
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


def parse_radial_basis(basis: RadialBasis | str) -> Function:
    """The function of a radial basis' name."""
    from mlip_core.models.radial_embedding import bessel_basis

    return {RadialBasis.BESSEL: bessel_basis}[RadialBasis(basis)]


def parse_radial_envelope(envelope: RadialEnvelope | str) -> Function:
    """The function of an envelope's name."""
    from mlip_core.models.radial_embedding import polynomial_envelope_updated, soft_envelope

    envelopes: dict[RadialEnvelope, Function] = {
        RadialEnvelope.POLYNOMIAL: polynomial_envelope_updated,
        RadialEnvelope.SOFT: soft_envelope,
    }
    return envelopes[RadialEnvelope(envelope)]


# The scales of e3nn: not exact averages but those over 1,000,001 quantiles of the normal
# distribution. Computed beforehand, because that would take a tenth of a second at each start.
NORMALIZATIONS = {
    Activation.TANH: 1.5925386426301726,
    Activation.SILU: 1.6765620560798848,
    Activation.RELU: 1.4142313369321398,
    Activation.ELU: 1.2452107705922932,
    Activation.SWISH: 1.6765620560798848,
    Activation.SIGMOID: 1.846229176566333,
    Activation.NONE: 1.000012568511233,
}


def normalized_activation(act: Activation | str) -> Function:
    """The activation scaled so that its square averages to one for standard normal inputs."""
    function, scale = parse_activation(act), NORMALIZATIONS[Activation(act)]
    return lambda x: scale * function(x)
