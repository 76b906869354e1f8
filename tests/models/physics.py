"""What every potential must obey, as a class that the test of any network inherits.

All in float64. Every structure is padded to one shape, so that a network is compiled once for each
test class and not for each check.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder
from mlip_core.typing import Prediction

CUTOFF = 3.0
DATASET_INFO = DatasetInfo(
    atomic_energies_map={1: -13.5, 6: -1029.25, 8: -2042.75},
    cutoff_distance_angstrom=CUTOFF,
    avg_num_neighbors=7.3,
    avg_r_min_angstrom=0.97,
    scaling_stdev=1.3,
)


def molecule() -> Atoms:
    """Ten atoms without any symmetry."""
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(range(3), range(2), range(2)), axis=-1).reshape(-1, 3)[:10]
    positions = 1.3 * grid + 0.2 * rng.normal(size=(10, 3))
    return Atoms("COHHCOHCHH", positions=positions)


def crystal() -> Atoms:
    """A triclinic cell in which every atom sees its own images."""
    return Atoms(
        "OCH",
        positions=[[0.0, 0.0, 0.0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]],
        cell=[[2.7, 0.1, 0.0], [0.6, 2.9, 0.2], [-0.4, 0.5, 3.1]],
        pbc=True,
    )


class PhysicsChecks:
    """Inherit and implement ``network``."""

    @staticmethod
    def network() -> MLIPNetwork:
        raise NotImplementedError

    @staticmethod
    def prepared(force_field: ForceField) -> ForceField:
        """What is checked, in double precision."""
        return force_field

    @pytest.fixture(scope="class")
    @classmethod
    def predict(cls):
        with jax.enable_x64(True):
            force_field = ForceField.from_mlip_network(cls.network(), predict_stress=True)
            params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), force_field.params)
            yield _Predict(cls.prepared(ForceField(force_field.predictor, params)))

    def test_rotation_and_reflection(self, predict):
        matrix = -Rotation.from_euler("xyz", [0.3, 1.1, -0.7]).as_matrix()
        for atoms in (molecule(), crystal()):
            turned = atoms.copy()
            turned.set_cell(atoms.cell.array @ matrix.T)
            turned.positions = atoms.positions @ matrix.T
            before, after = predict(atoms), predict(turned)
            assert after.interaction_energy == pytest.approx(before.interaction_energy, rel=1e-11)
            np.testing.assert_allclose(after.forces, before.forces @ matrix.T, atol=1e-10)
            np.testing.assert_allclose(after.stress, matrix @ before.stress @ matrix.T, atol=1e-10)

    def test_translation_and_wrapping(self, predict):
        moved, image = crystal(), crystal()
        moved.positions += [0.7, -1.9, 5.1]
        image.positions[1] += image.cell.array[0] - 2 * image.cell.array[2]
        for other in (moved, image):
            _assert_same(predict(other), predict(crystal()))

    def test_permutation(self, predict):
        order = np.random.default_rng(1).permutation(10)
        before, after = predict(molecule()), predict(molecule()[order])
        assert after.interaction_energy == pytest.approx(before.interaction_energy, rel=1e-12)
        np.testing.assert_allclose(after.forces, before.forces[order], atol=1e-11)

    def test_forces_are_minus_the_gradient(self, predict):
        for atoms in (molecule(), crystal()):
            forces = predict(atoms).forces
            for atom, axis in ((0, 0), (1, 2), (2, 1)):
                slope = _derivative(predict, functools.partial(_moved, atoms, atom, axis))
                assert forces[atom, axis] == pytest.approx(-slope, rel=1e-6, abs=1e-8)

    def test_stress_is_the_derivative_by_strain(self, predict):
        stress = predict(crystal()).stress
        np.testing.assert_array_equal(stress, stress.T)
        for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)):
            slope = _derivative(predict, functools.partial(_strained, crystal(), i, j))
            expected = slope / crystal().get_volume()
            assert stress[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-8)

    def test_smooth_at_the_cutoff(self, predict):
        steps = np.array([-2e-3, -1e-3, -1e-4, 1e-4])
        dimers = [Atoms("CO", positions=[[0, 0, 0], [0, 0, CUTOFF + h]]) for h in steps]
        energies = np.array([float(predict(dimer).interaction_energy) for dimer in dimers])
        forces = np.array([float(predict(dimer).forces[0, 2]) for dimer in dimers])
        alone = sum(float(predict(Atoms(symbol)).interaction_energy) for symbol in ("C", "O"))
        np.testing.assert_allclose(energies, alone, atol=1e-6)
        np.testing.assert_allclose(forces, 0, atol=1e-4)
        assert energies[-1] == pytest.approx(alone, abs=1e-12)
        assert forces[-1] == 0

    def test_one_atom_feels_nothing(self, predict):
        prediction = predict(Atoms("O"))
        assert np.isfinite(prediction.interaction_energy)
        assert not prediction.forces.any()

    def test_isolated_atom_changes_nothing(self, predict):
        far = Atoms("H", positions=[[50.0, 0.0, 0.0]])
        together = predict(molecule() + far)
        expected = predict(molecule()).interaction_energy + predict(far).interaction_energy
        assert together.interaction_energy == pytest.approx(expected, rel=1e-12)
        assert not together.forces[10].any()

    def test_two_far_copies_have_twice_the_energy(self, predict):
        copy = molecule()
        copy.positions += [0.0, 40.0, 0.0]
        once, twice = predict(molecule()), predict(molecule() + copy)
        assert twice.interaction_energy == pytest.approx(2 * once.interaction_energy, rel=1e-12)
        np.testing.assert_allclose(twice.forces[10:], once.forces, atol=1e-11)

    def test_repeated_cell_has_the_same_energy_per_atom(self, predict):
        once, twice = predict(crystal()), predict(crystal().repeat((2, 1, 1)))
        assert twice.interaction_energy == pytest.approx(2 * once.interaction_energy, rel=1e-12)
        np.testing.assert_allclose(twice.stress, once.stress, atol=1e-11)

    def test_layout_of_edges_does_not_matter(self, predict):
        for atoms in (molecule(), crystal()):
            _assert_same(predict.without_blocks(atoms), predict(atoms))

    def test_total_energy_adds_the_free_atoms(self, predict):
        energies = DATASET_INFO.atomic_energies_map
        prediction = predict(molecule())
        free = sum(energies[number] for number in molecule().numbers.tolist())
        assert prediction.energy == pytest.approx(prediction.interaction_energy + free, rel=1e-14)
        assert prediction.node_energies.sum() == pytest.approx(
            prediction.interaction_energy, rel=1e-12
        )

    def test_gradients_are_finite_for_aligned_atoms(self, predict):
        chain = Atoms("HCCO", positions=[[0, 0, 0], [0, 0, 1.1], [0, 0, 2.3], [0, 0, 3.5]])
        for leaf in jax.tree.leaves(predict.gradient_of_squared_forces(chain)):
            assert np.isfinite(leaf).all()


class _Predict:
    """Predictions for single structures, padding removed, all through one compiled shape."""

    def __init__(self, force_field: ForceField) -> None:
        self.force_field = force_field
        self._builder = PaddedGraphBuilder([1, 6, 8], CUTOFF, dtype=np.float64)
        largest = molecule().repeat(1)
        largest.set_cell([4.0, 4.0, 4.0])
        largest.pbc = True
        self._builder.build(largest + largest[:10])

    def __call__(self, atoms: Atoms) -> Prediction:
        return self._unpadded(self.force_field(self._builder.build(atoms)), len(atoms))

    def without_blocks(self, atoms: Atoms) -> Prediction:
        graph = self._builder.build(atoms)
        order = np.random.default_rng(0).permutation(graph.n_edge[0])
        order = np.concatenate([order, np.arange(graph.n_edge[0], len(graph.senders))])
        shuffled = graph._replace(
            senders=graph.senders[order],
            receivers=graph.receivers[order],
            edges=graph.edges._replace(shifts=graph.edges.shifts[order], blocks=None),
        )
        return self._unpadded(self.force_field(shuffled), len(atoms))

    def gradient_of_squared_forces(self, atoms: Atoms) -> Any:
        graph = self._builder.build(atoms)

        def loss(params, positions):
            moved = graph._replace(nodes=graph.nodes._replace(positions=positions))
            return jnp.sum(self.force_field.predictor.apply(params, moved).forces ** 2)

        positions = jnp.asarray(graph.nodes.positions)
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(self.force_field.params, positions)

    def _unpadded(self, prediction: Prediction, n_atoms: int) -> Prediction:
        return Prediction(
            energy=float(prediction.energy[0]),
            forces=np.asarray(prediction.forces[:n_atoms]),
            stress=np.asarray(prediction.stress[0]),
            interaction_energy=float(prediction.interaction_energy[0]),
            node_energies=np.asarray(prediction.node_energies[:n_atoms]),
        )


def _assert_same(a: Prediction, b: Prediction) -> None:
    assert a.interaction_energy == pytest.approx(b.interaction_energy, rel=1e-12)
    np.testing.assert_allclose(a.forces, b.forces, atol=1e-11)
    np.testing.assert_allclose(a.stress, b.stress, atol=1e-11)


def _derivative(predict: _Predict, structure_at: Any) -> float:
    """Central difference of fourth order of the energy at 0."""
    h = 2e-4  # norms of small vectors curve over short distances
    energies = {k: predict(structure_at(k * h)).interaction_energy for k in (-2, -1, 1, 2)}
    return (8 * (energies[1] - energies[-1]) - (energies[2] - energies[-2])) / (12 * h)


def _moved(atoms: Atoms, atom: int, axis: int, step: float) -> Atoms:
    moved = atoms.copy()
    moved.positions[atom, axis] += step
    return moved


def _strained(atoms: Atoms, i: int, j: int, step: float) -> Atoms:
    strain = np.zeros((3, 3))
    strain[i, j] += step / 2
    strain[j, i] += step / 2
    strained = atoms.copy()
    strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return strained
