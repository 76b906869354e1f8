"""Files of many different structures of 5 to 200 atoms, written fast."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SMALLEST, LARGEST = 5, 200
ELEMENTS = ("H", "C", "O", "Si")
ATOMIC_ENERGIES = np.array([-13.6, -1029.3, -2041.9, -7874.2])
CELL = np.array([20.0, 20.0, 15.0])
_BLOCK = 5  # atoms of a block
_VARIANTS = 64  # of a block, in each place
_AT_ONCE = 1000  # blocks
_LINE = "%s" + 6 * " %.7f" + "\n"
_STIFFNESS = 8.0  # eV/Å²
_SPREAD = 0.08  # Å
_PLACE = 5.0  # Å, side of the cube in which a block stands
_COMMENT = (
    'Lattice="20.0 0.0 0.0 0.0 20.0 0.0 0.0 0.0 15.0" Properties=species:S:1:pos:R:3:forces:R:3'
    ' energy={energy:.8f} pbc="{pbc} {pbc} {pbc}"\n'
)


@dataclass(frozen=True)
class _Block:
    """Lines of some atoms, and their energies in eV."""

    lines: list[str]
    energies: list[float]

    def cut(self, n_atoms: int) -> "_Block":
        """The first atoms only."""
        return _Block(self.lines[:n_atoms], self.energies[:n_atoms])


def write_structures(path: str | os.PathLike[str], count: int, seed: int = 0) -> None:
    """Write ``count`` structures as extended XYZ, half of them periodic, no two alike.

    Atoms are tied by springs to places of a grid, so that energies and forces belong together.
    """
    with open(path, "w", encoding="ascii") as file:
        file.writelines(_structures(count, np.random.default_rng(seed)))


def _structures(count: int, rng: np.random.Generator) -> Iterator[str]:
    """Each structure has a block of its own; the rest comes from a stock, to save time."""
    n_places = LARGEST // _BLOCK
    stock = [_blocks(place, _VARIANTS, _BLOCK, rng) for place in range(n_places)]
    left = count
    while left > 0:
        n_own = min(left, _AT_ONCE)
        for own in _blocks(0, n_own, 2 * _BLOCK - 1, rng):
            n_atoms = int(rng.integers(SMALLEST, LARGEST + 1))
            n_more = (n_atoms - SMALLEST) // _BLOCK
            chosen = rng.integers(0, _VARIANTS, n_more).tolist()
            others = [stock[place][variant] for place, variant in enumerate(chosen, start=1)]
            yield _structure([own.cut(n_atoms - n_more * _BLOCK), *others], n_atoms)
        left -= n_own


def _structure(blocks: list[_Block], n_atoms: int) -> str:
    energy = sum(sum(block.energies) for block in blocks)
    comment = _COMMENT.format(energy=energy, pbc="FT"[n_atoms % 2])
    return f"{n_atoms}\n{comment}" + "".join(line for block in blocks for line in block.lines)


def _blocks(place: int, count: int, n_atoms: int, rng: np.random.Generator) -> list[_Block]:
    """Different blocks of one place."""
    grid = np.array(np.unravel_index(np.arange(n_atoms), (2, 2, 3)), dtype=float).T
    corner = np.array(np.unravel_index(place, (4, 4, 3))) * _PLACE
    displacements = rng.normal(scale=_SPREAD, size=(count, n_atoms, 3))
    positions = corner + 0.8 + grid * (2.3, 2.3, 1.6) + displacements
    kinds = rng.integers(0, len(ELEMENTS), (count, n_atoms))
    energies = ATOMIC_ENERGIES[kinds] + 0.5 * _STIFFNESS * np.square(displacements).sum(axis=2)
    rows = np.concatenate([positions, -_STIFFNESS * displacements], axis=2).tolist()
    lines = [
        [_LINE % (ELEMENTS[kind], *row) for kind, row in zip(of_atoms, numbers, strict=True)]
        for of_atoms, numbers in zip(kinds.tolist(), rows, strict=True)
    ]
    return [_Block(*block) for block in zip(lines, energies.tolist(), strict=True)]
