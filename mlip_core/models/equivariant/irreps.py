"""Irreducible representations of O(3): degree and parity, and lists of them with multiplicities."""

import re
from typing import NamedTuple

_TERM = re.compile(r"(?:(\d+)\s*x\s*)?(\d+)([eo])")


class Irrep(NamedTuple):
    """One irreducible representation, written ``1o``: degree 1, odd under inversion."""

    degree: int
    parity: int

    @property
    def dim(self) -> int:
        """Number of components."""
        return 2 * self.degree + 1

    def __str__(self) -> str:
        return f"{self.degree}{'e' if self.parity == 1 else 'o'}"


SCALAR = Irrep(0, 1)


def natural(degree: int) -> Irrep:
    """The irrep of the spherical harmonics of a degree."""
    return Irrep(degree, (-1) ** degree)


def products(a: Irrep, b: Irrep) -> list[Irrep]:
    """The irreps in the tensor product of two, by rising degree."""
    degrees = range(abs(a.degree - b.degree), a.degree + b.degree + 1)
    return [Irrep(degree, a.parity * b.parity) for degree in degrees]


def parse_irreps(text: str) -> list[tuple[int, Irrep]]:
    """Multiplicities and irreps of a text such as ``"16x0e + 1o"``.

    Raises:
        ValueError: if the text is not a sum of terms ``<multiplicity>x<degree><e|o>``.
    """
    terms = [_TERM.fullmatch(term.strip()) for term in text.split("+")]
    parsed = []
    for term in terms:
        if term is None:
            raise ValueError(f"{text!r} is not a list of irreps such as '16x0e + 8x1o'")
        multiplicity, degree, parity = term.groups()
        irrep = Irrep(int(degree), 1 if parity == "e" else -1)
        parsed.append((int(multiplicity or 1), irrep))
    return parsed
