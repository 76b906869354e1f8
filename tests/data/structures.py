"""Structures and frames for the tests of this room."""

from collections.abc import Sequence

import ase
import jraph
import numpy as np
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.helpers import AtomicNumberTable, create_graph_from_chemical_system

TRICLINIC = np.array([[2.6, 0.0, 0.0], [1.1, 2.4, 0.0], [-0.7, 0.9, 2.9]])


def labelled(atoms: ase.Atoms, stress: bool = False) -> ase.Atoms:
    """A copy with energy, forces and, on request, stress of effective medium theory."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if stress:
        results["stress"] = atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def ethanol(seed: int) -> ase.Atoms:
    """A rattled ethanol molecule (9 atoms of H, C, O)."""
    return rattled(molecule("CH3CH2OH"), seed)


def water(seed: int) -> ase.Atoms:
    """A rattled water molecule."""
    return rattled(molecule("H2O"), seed)


def copper(seed: int) -> ase.Atoms:
    """A rattled periodic cell of 8 copper atoms with a small shear."""
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    shear = np.array([[1.0, 0.03, 0.0], [0.0, 1.0, 0.0], [0.02, 0.0, 1.0]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    return rattled(atoms, seed)


def rattled(atoms: ase.Atoms, seed: int) -> ase.Atoms:
    """A copy with every coordinate displaced by a normal deviate of 0.05 Å."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    return atoms


def frames_of(structures: Sequence[ase.Atoms], stress: bool = False) -> list[Frame]:
    """Labelled frames."""
    require = ("energy", "forces", "stress") if stress else ("energy", "forces")
    return [
        frame_from_atoms(labelled(atoms, stress), require=require, file="some.xyz", index=index)
        for index, atoms in enumerate(structures)
    ]


def ethanol_frames(count: int) -> list[Frame]:
    """Different labelled ethanol frames."""
    return frames_of([ethanol(seed) for seed in range(count)])


def graph_of(atoms: ase.Atoms, cutoff: float = 3.0, **labels: object) -> jraph.GraphsTuple:
    """A graph, with species numbered within H, C, O and Cu."""
    system = ChemicalSystem(
        atomic_numbers=atoms.numbers,
        atomic_species=AtomicNumberTable([1, 6, 8, 29]).species(atoms.numbers),
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=tuple(atoms.pbc.tolist()),
        **labels,
    )
    return create_graph_from_chemical_system(system, cutoff)
