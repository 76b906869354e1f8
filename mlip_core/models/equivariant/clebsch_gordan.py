"""Clebsch-Gordan coefficients of real irreps, in the basis of ``e3nn``."""

from functools import cache
from math import factorial

import numpy as np


@cache
def clebsch_gordan(degree_1: int, degree_2: int, degree_out: int) -> np.ndarray:
    """Real Clebsch-Gordan tensor ``[2 l1 + 1, 2 l2 + 1, 2 l_out + 1]``.

    Normalised by component: inputs of unit variance give outputs of unit variance. Signs and the
    order of components are those of ``e3nn``.
    """
    tensor = np.einsum(
        "abc,ai,bj,ck->ijk",
        _complex_coefficients(degree_1, degree_2, degree_out),
        _real_to_complex(degree_1),
        _real_to_complex(degree_2),
        _real_to_complex(degree_out).conj(),
    ).real
    tensor[np.abs(tensor) < 1e-12] = 0.0
    return tensor


def _real_to_complex(degree: int) -> np.ndarray:
    """The unitary matrix ``[m, component]`` that writes complex harmonics by real ones.

    With the phase (-i)^l all coefficients between real harmonics are real.
    """
    matrix = np.zeros((2 * degree + 1, 2 * degree + 1), np.complex128)
    matrix[degree, degree] = 1
    for m in range(1, degree + 1):
        plus, minus = degree + m, degree - m
        matrix[minus, [plus, minus]] = np.array([1, -1j]) / np.sqrt(2)
        matrix[plus, [plus, minus]] = (-1) ** m * np.array([1, 1j]) / np.sqrt(2)
    return (-1j) ** degree * matrix


def _complex_coefficients(degree_1: int, degree_2: int, degree_out: int) -> np.ndarray:
    """``<l1 m1 l2 m2 | l m>`` as ``[m1, m2, m]``."""
    result = np.zeros((2 * degree_1 + 1, 2 * degree_2 + 1, 2 * degree_out + 1))
    for m_1 in range(-degree_1, degree_1 + 1):
        for m_2 in range(-degree_2, degree_2 + 1):
            if abs(m_1 + m_2) <= degree_out:
                place = (degree_1 + m_1, degree_2 + m_2, degree_out + m_1 + m_2)
                result[place] = _coefficient(degree_1, m_1, degree_2, m_2, degree_out)
    return result


def _coefficient(j_1: int, m_1: int, j_2: int, m_2: int, j: int) -> float:
    """Racah's formula; Varshalovich et al., Quantum Theory of Angular Momentum, 8.2.1 (3)."""
    m, f = m_1 + m_2, factorial
    triangle = f(j_1 + j_2 - j) * f(j_1 - j_2 + j) * f(-j_1 + j_2 + j) / f(j_1 + j_2 + j + 1)
    norm = f(j_1 + m_1) * f(j_1 - m_1) * f(j_2 + m_2) * f(j_2 - m_2) * f(j + m) * f(j - m)
    first = max(0, j_2 - j - m_1, j_1 - j + m_2)
    last = min(j_1 + j_2 - j, j_1 - m_1, j_2 + m_2)
    series = sum(
        (-1) ** k
        / (
            f(k)
            * f(j_1 + j_2 - j - k)
            * f(j_1 - m_1 - k)
            * f(j_2 + m_2 - k)
            * f(j - j_2 + m_1 + k)
            * f(j - j_1 - m_2 + k)
        )
        for k in range(first, last + 1)
    )
    return (triangle * (2 * j + 1) * norm) ** 0.5 * series
