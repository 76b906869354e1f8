"""The ASE calculators."""

import copy
import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

import mlip_core
from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Mace
from mlip_core.models.model_io import save_model_to_zip
from mlip_core.simulation.ase import ForceFieldCalculator, MLIPForceFieldASECalculator
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder
from mlip_core.utils.errors import UserError

FREE = {1: -13.5, 8: -2042.75, 14: -7900.5}


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    info = DatasetInfo(atomic_energies_map=FREE, cutoff_distance_angstrom=3.0)
    return ForceField.from_mlip_network(Mace(Mace.Config(num_channels=2, l_max=1), info))


def test_zip_in_one_line(force_field, tmp_path):
    save_model_to_zip(tmp_path / "model.zip", force_field)
    water = molecule("H2O")
    water.calc = mlip_core.ForceFieldCalculator(tmp_path / "model.zip")
    again = molecule("H2O")
    again.calc = ForceFieldCalculator(force_field)
    assert water.get_potential_energy() == again.get_potential_energy()
    np.testing.assert_array_equal(water.get_forces(), again.get_forces())


def test_energy_is_the_sum_of_atomic_energies(force_field):
    water = molecule("H2O")
    water.calc = ForceFieldCalculator(force_field)
    energies = water.get_potential_energies()
    assert energies.shape == (3,)
    assert water.get_potential_energy() == energies.sum()
    isolated = Atoms("O", calculator=ForceFieldCalculator(force_field))
    assert isolated.get_potential_energy() != pytest.approx(energies[0], abs=1e-6)


def test_forces_are_the_slope_of_the_energy(force_field):
    water = molecule("H2O")
    water.calc = ForceFieldCalculator(force_field)
    analytical = water.get_forces()[1, 2]
    numerical = calculate_numerical_forces(water, eps=5e-3)[1, 2]
    assert analytical == pytest.approx(numerical, rel=2e-3, abs=1e-4)


def test_stress_of_crystals_only(force_field):
    silicon = bulk("Si").repeat(2)
    silicon.rattle(0.1, seed=1)
    silicon.calc = ForceFieldCalculator(force_field)
    numerical = calculate_numerical_stress(silicon, eps=1e-3)
    np.testing.assert_allclose(silicon.get_stress(), numerical, rtol=2e-2, atol=2e-5)
    water = molecule("H2O", calculator=ForceFieldCalculator(force_field))
    with pytest.raises(NotImplementedError):
        water.get_stress()


def test_cell_of_a_molecule_is_not_read(force_field):
    water, boxed = molecule("H2O"), molecule("H2O", cell=[1.0, 1.0, 1.0])
    water.calc, boxed.calc = ForceFieldCalculator(force_field), ForceFieldCalculator(force_field)
    assert boxed.get_potential_energy() == water.get_potential_energy()


def test_atoms_that_move_do_not_compile_anew(force_field):
    silicon = bulk("Si").repeat(2)
    silicon.calc = ForceFieldCalculator(force_field, edge_capacity_multiplier=1.5)
    silicon.get_forces()
    builder = silicon.calc._builder
    shape = builder.build(silicon).senders.shape
    for seed in range(5):
        silicon.rattle(0.05, seed=seed)
        assert builder.build(silicon).senders.shape == shape


def test_structures_of_other_sizes_follow(force_field):
    calculator = ForceFieldCalculator(force_field)
    for atoms in (molecule("H2O"), molecule("H2O2"), bulk("Si").repeat(2), molecule("H2")):
        fresh = atoms.copy()
        atoms.calc, fresh.calc = calculator, ForceFieldCalculator(force_field)
        np.testing.assert_allclose(atoms.get_forces(), fresh.get_forces(), atol=1e-5)


def test_number_of_atoms_is_fixed_unless_allowed(force_field):
    calculator = MLIPForceFieldASECalculator(molecule("H2O"), 1.25, force_field)
    peroxide = molecule("H2O2", calculator=calculator)
    with pytest.raises(ValueError, match="made for 3 atoms and got 4"):
        peroxide.get_forces()


def test_unknown_element(force_field):
    methane = molecule("CH4", calculator=ForceFieldCalculator(force_field))
    with pytest.raises(UserError, match=r"knows no atomic number \[6\]"):
        methane.get_forces()


def test_stress_of_a_slab_says_why_not(force_field):
    slab = bulk("Si", cubic=True)
    slab.pbc = (True, True, False)
    slab.calc = ForceFieldCalculator(force_field)
    slab.get_forces()
    with pytest.raises(PropertyNotImplementedError, match="three periodic directions"):
        slab.get_stress()


def test_skin_changes_nothing_but_the_work(force_field):
    """Along a trajectory, with cell and atoms moving, against a new list for each structure."""
    silicon = bulk("Si", cubic=True)
    silicon.rattle(0.1, seed=2)
    silicon.calc = ForceFieldCalculator(force_field)
    rng = np.random.default_rng(0)
    lists = set()
    for _ in range(12):
        silicon.positions += rng.normal(scale=0.02, size=silicon.positions.shape)
        silicon.set_cell(silicon.cell.array * (1 + 0.002 * rng.normal()), scale_atoms=True)
        fresh = silicon.copy()
        builder = PaddedGraphBuilder([1, 8, 14], 3.0, widest_skin=0.0)
        exact = force_field(builder.build(fresh))
        free = len(silicon) * FREE[14]
        assert silicon.get_potential_energy() - free == pytest.approx(
            float(exact.interaction_energy[0]), abs=1e-5
        )
        np.testing.assert_allclose(silicon.get_forces(), exact.forces[: len(silicon)], atol=2e-5)
        fresh.calc = ForceFieldCalculator(force_field)
        np.testing.assert_allclose(silicon.get_stress(), fresh.get_stress(), atol=1e-6)
        lists.add(silicon.calc.edges.references[0].positions.tobytes())
    assert 1 <= len(lists) < 12


def test_double_precision(force_field):
    water = molecule("H2O", calculator=ForceFieldCalculator(force_field, dtype="float64"))
    numerical = calculate_numerical_forces(water, eps=1e-4)
    np.testing.assert_allclose(water.get_forces(), numerical, atol=1e-6)
    single = molecule("H2O", calculator=ForceFieldCalculator(force_field))
    np.testing.assert_allclose(single.get_forces(), water.get_forces(), atol=1e-5)


def test_copies_and_pickles(force_field):
    water = molecule("H2O", calculator=ForceFieldCalculator(force_field))
    forces = water.get_forces()
    for calculator in (copy.deepcopy(water.calc), pickle.loads(pickle.dumps(water.calc))):  # noqa: S301
        again = water.copy()
        assert again.calc is None
        again.calc = calculator
        np.testing.assert_array_equal(again.get_forces(), forces)


def test_far_from_the_origin(force_field):
    near, far = molecule("H2O"), molecule("H2O")
    far.positions += 1e4
    near.calc, far.calc = ForceFieldCalculator(force_field), ForceFieldCalculator(force_field)
    np.testing.assert_allclose(far.get_forces(), near.get_forces(), atol=1e-5)
