"""Real spherical harmonics as polynomials of a unit vector."""

from functools import cache

import numpy as np

from mlip_core.models.equivariant.coupling import Components, clebsch_gordan, couple


def spherical_harmonics(l_max: int, unit: Components) -> list[Components]:
    """Spherical harmonics of degrees 0 to ``l_max`` of unit vectors.

    Each degree is the stretched coupling of the one before with the vector itself, so derivatives
    of any order are finite in every direction.

    Args:
        l_max: highest degree.
        unit: the x, y and z components of unit vectors, arrays of one shape.

    Returns:
        For each degree its 2 l + 1 components. Their squares average to one over the sphere
        ("component" normalisation) and their order is that of ``e3nn``: polar axis y.
    """
    first = [np.sqrt(3.0).item() * component for component in unit]
    harmonics: list[Components] = [[unit[0] * 0 + 1], first]
    for degree in range(2, l_max + 1):
        scale = _stretch(degree)
        harmonics.append([scale * y for y in couple(first, harmonics[-1], degree)])
    return harmonics[: l_max + 1]


@cache
def _stretch(degree: int) -> float:
    """What the coupling of degrees 1 and ``degree - 1`` lacks to the right norm and sign.

    Along the polar axis only the central component is not zero, and it is positive.
    """
    center = clebsch_gordan(1, degree - 1, degree)[1, degree - 1, degree]
    return float(np.sqrt(2 * degree + 1) / (np.sqrt(3) * np.sqrt(2 * degree - 1) * center))
