"""Relaxation and vibrations: springs with known frequencies, and potentials that lead away."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.vibrations import Vibrations

from mlip_core.physics.config import RelaxationConfig, StructuresConfig, VibrationsConfig
from mlip_core.physics.relaxation import check_relaxation, rmsd
from mlip_core.physics.relaxing import relax
from mlip_core.physics.result import CheckResult, Quantity
from mlip_core.physics.subject import Subject, relaxed_structures
from mlip_core.physics.vibrations import check_vibrations, measure_vibrations, normal_modes
from tests.physics.potentials import PairPotential, Repulsion, Undefined, spring

RELAXATION = RelaxationConfig()
VIBRATIONS = VibrationsConfig(relax_max_force_ev_per_angstrom=1e-3)


def found(result: CheckResult) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in result.quantities}


def minima(calculator: object, *structures: Atoms) -> Subject:
    """Structures that a calculator relaxed as the reference."""
    return Subject(list(relaxed_structures(structures, calculator, StructuresConfig())))  # type: ignore[arg-type]


def test_relaxation_ends_at_the_length_of_the_spring() -> None:
    start = molecule("H2")
    relaxed = relax(start, spring(20.0, 0.9), 1e-4, 50)
    assert relaxed.converged
    assert relaxed.atoms.get_distance(0, 1) == pytest.approx(0.9, abs=1e-5)
    assert relaxed.steps[0].energy == pytest.approx(10 * (start.get_distance(0, 1) - 0.9) ** 2)
    assert relaxed.steps[-1].max_force < 1e-4
    assert start.calc is None


def test_relaxation_that_is_cut_short_or_leads_nowhere_has_not_converged() -> None:
    assert not relax(molecule("H2"), spring(20.0, 0.9), 1e-6, 1).converged
    assert not relax(molecule("C2H6"), Undefined(), 1e-3, 20).converged
    assert not relax(molecule("H2"), PairPotential(lambda r: -r), 1e-3, 20).converged


def test_same_potential_stays_at_the_reference_minimum() -> None:
    subject = minima(EMT(), molecule("C2H6"))
    result = check_relaxation(EMT(), subject, RELAXATION, seed=0)
    assert result.passed
    distance = found(result)["RMSD from the reference minimum"]
    assert distance.value == pytest.approx(0.0, abs=1e-6)
    assert result.note == ""


def test_other_potential_leaves_the_reference_minimum() -> None:
    subject = minima(spring(20.0, 0.74), molecule("H2"))
    result = check_relaxation(spring(20.0, 1.5), subject, RELAXATION, seed=0)
    # Each atom moves by half the difference of the lengths.
    distance = found(result)["RMSD from the reference minimum"]
    assert distance.value == pytest.approx(0.38, abs=1e-3)
    assert distance.passed is False


def test_without_reference_minimum_the_distance_is_shown_only() -> None:
    result = check_relaxation(spring(20.0, 1.5), Subject([molecule("H2")]), RELAXATION, seed=0)
    assert result.passed
    assert found(result)["RMSD from the start"].passed is None
    assert "No reference minimum of H2" in result.note


def test_relaxation_that_does_not_end_fails() -> None:
    config = RELAXATION.model_copy(update={"relax_max_steps": 2})
    assert check_relaxation(Repulsion(), Subject([molecule("H2O")]), config, 0).passed is False


def test_rmsd_takes_off_motion_as_a_whole() -> None:
    atoms = molecule("CH3CH2OH")
    moved = atoms.copy()
    moved.rotate(70.0, (1, 2, 3))
    moved.translate([1.0, -2.0, 0.5])
    assert rmsd(moved, atoms) == pytest.approx(0.0, abs=1e-12)
    moved.positions[0] += 0.3
    assert 0.0 < rmsd(moved, atoms) <= np.sqrt(3 * 0.3**2 / len(atoms))


def test_rmsd_does_not_reflect() -> None:
    chiral = Atoms("HCNOF", positions=[[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1.2, 0], [-1, -1, -1]])
    mirrored = chiral.copy()
    mirrored.positions[:, 0] *= -1
    assert rmsd(mirrored, chiral) > 0.3


def test_rmsd_of_a_crystal_does_not_rotate_it() -> None:
    crystal = bulk("Cu", cubic=True) * (2, 1, 1)
    turned = crystal.copy()
    turned.positions = turned.positions[:, [1, 0, 2]]
    assert rmsd(turned, crystal) > 0.5


def test_frequency_of_a_spring() -> None:
    """ω = √(k/μ) for two atoms; nothing else vibrates."""
    atoms = molecule("HCl")
    atoms.calc = spring(30.0, atoms.get_distance(0, 1))
    (frequency,) = normal_modes(atoms, 0.001).frequencies
    first, second = atoms.get_masses()
    reduced = first * second / (first + second) * units._amu
    omega = np.sqrt(30.0 * units._e * 1e20 / reduced)
    assert frequency == pytest.approx(omega / (2 * np.pi * units._c * 100), rel=1e-4)


def test_frequencies_are_those_of_ase(tmp_path: object) -> None:
    atoms = relax(molecule("CH3OH"), EMT(), 1e-3, 300).atoms
    atoms.calc = EMT()
    vibrations = Vibrations(atoms, name=f"{tmp_path}/vib", delta=0.01)
    vibrations.run()
    expected = np.sort(vibrations.get_frequencies().real)[6:]
    ours = normal_modes(atoms, 0.01).frequencies
    assert len(ours) == 3 * len(atoms) - 6
    np.testing.assert_allclose(ours[3:], expected[3:], rtol=5e-3)


def test_phonons_of_a_crystal_leave_out_its_translation() -> None:
    result = check_vibrations(EMT(), Subject([bulk("Cu", cubic=True)]), VIBRATIONS, seed=0)
    assert len(result.table) == 3 * 4 - 3
    assert result.passed
    assert found(result)["lowest frequency"].value > 50.0  # type: ignore[operator]


def test_saddle_point_is_left() -> None:
    """Three atoms in a row that would rather be a triangle: bent, the outer ones come nearer."""
    row = Atoms("Ar3", positions=[[-3.8, 0, 0], [0, 0, 0], [3.8, 0, 0]])
    attracted = LennardJones(sigma=3.4, epsilon=10.0, rc=20.0)
    in_a_row = relax(row, attracted, 1e-3, 300)
    assert in_a_row.converged
    modes = normal_modes(in_a_row.atoms, 0.01)
    assert modes.frequencies[0] < -20.0
    assert np.linalg.norm(modes.motions, axis=2).max(axis=1) == pytest.approx(1.0)
    result = check_vibrations(attracted, Subject([row]), VIBRATIONS, seed=0)
    assert result.passed
    # A triangle of springs: the modes differ by √(3 / (3/2)).
    low, same, high = result.table["frequency_per_cm"]
    assert same == pytest.approx(low, rel=1e-3)
    assert high == pytest.approx(np.sqrt(2) * low, rel=1e-2)


def test_imaginary_frequency_that_remains_fails() -> None:
    """A hill so flat that no relaxation moves, however far it is gone down."""
    hill = PairPotential(lambda r: -1e-3 * (r - 0.7) ** 2)
    config = VIBRATIONS.model_copy(update={"relax_max_force_ev_per_angstrom": 0.01})
    result = check_vibrations(hill, Subject([molecule("H2")]), config, seed=0)
    lowest = found(result)["lowest frequency"]
    # The constant is -2e-3 eV/Å², the reduced mass half of that of an atom.
    assert lowest.value == pytest.approx(-521.47 * np.sqrt(2e-3 / (1.008 / 2)), rel=1e-3)
    assert result.passed is True
    strict = config.model_copy(update={"max_imaginary_per_cm": 30.0})
    assert check_vibrations(hill, Subject([molecule("H2")]), strict, seed=0).passed is False


def test_frequencies_are_compared_with_the_reference() -> None:
    hydrogen = [molecule("H2")]
    reference = measure_vibrations(spring(20.0, 0.74), Subject(hydrogen), VIBRATIONS)
    subject = Subject(hydrogen, reference=reference)
    assert check_vibrations(spring(20.0, 0.74), subject, VIBRATIONS, seed=0).passed
    harder = check_vibrations(spring(40.0, 0.74), subject, VIBRATIONS, seed=0)
    assert harder.passed is False
    (expected,) = reference["H2"]
    error = found(harder)["mean absolute error"]
    assert error.value == pytest.approx((np.sqrt(2) - 1) * expected, rel=1e-3)
    assert harder.table["reference_per_cm"].tolist() == [expected]


def test_structure_that_does_not_relax_fails() -> None:
    config = VIBRATIONS.model_copy(update={"relax_max_steps": 2})
    result = check_vibrations(Repulsion(), Subject([molecule("H2O")]), config, seed=0)
    assert result.passed is False
    assert result.note == "H2O does not relax."
