"""Real spherical harmonics as polynomials of a unit vector."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from mlip_core.models.equivariant.clebsch_gordan import clebsch_gordan
from mlip_core.models.equivariant.coupling import couple

Array = Any


def spherical_harmonics(l_max: int, unit: Array) -> list[Array]:
    """Spherical harmonics of degrees 0 to ``l_max`` of unit vectors.

    Each degree is the stretched coupling of the one before with the vector itself, so derivatives
    of any order are finite in every direction.

    Args:
        l_max: highest degree.
        unit: ``[3, ...]``, the x, y and z components of unit vectors.

    Returns:
        For each degree ``[2 l + 1, ...]``. Squares average to one over the sphere ("component"
        normalisation) and the order of components is that of ``e3nn``: polar axis y.
    """
    first = np.sqrt(3.0).item() * unit
    harmonics = [jnp.ones_like(unit[:1]), first]
    for degree in range(2, l_max + 1):
        stretched = couple(first, harmonics[-1], degree, is_apart=False)
        harmonics.append(_stretch(degree) * stretched)
    return harmonics[: l_max + 1]


@cache
def _stretch(degree: int) -> float:
    """What the coupling of degrees 1 and ``degree - 1`` lacks to the right norm and sign.

    Along the polar axis only the central component is not zero, and it is positive.
    """
    center = clebsch_gordan(1, degree - 1, degree)[1, degree - 1, degree]
    return float(np.sqrt(2 * degree + 1) / (np.sqrt(3) * np.sqrt(2 * degree - 1) * center))
