"""ViSNet obeys physics."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from mlip_core.models import ForceField, Visnet
from mlip_core.models.visnet import readout
from tests.models.physics import DATASET_INFO, PhysicsChecks, _Predict, crystal, molecule

small = functools.partial(Visnet.Config, num_channels=6, num_heads=2)


class VisnetChecks(PhysicsChecks):
    def test_rotation_and_reflection(self, predict):
        # The offset in norms of vectors, part of the file format, is 1e-8 and not invariant.
        check_rotation(predict, tolerance=2e-6)


class TestVisnet(VisnetChecks):
    @staticmethod
    def network():
        return Visnet(small(num_layers=3), DATASET_INFO)


@pytest.mark.slow
class TestVisnetWithHighDegrees(VisnetChecks):
    @staticmethod
    def network():
        return Visnet(small(num_layers=3, l_max=3, vecnorm_type="rms"), DATASET_INFO)


@pytest.mark.slow
class TestVisnetWithMaxMinNorm(VisnetChecks):
    @staticmethod
    def network():
        config = small(
            num_layers=2, l_max=1, vecnorm_type="max_min", trainable_rbf=True, activation="tanh"
        )
        return Visnet(config, DATASET_INFO)


def test_nothing_but_the_offset_breaks_rotational_invariance(monkeypatch):
    monkeypatch.setattr(readout, "_COMPONENT_OFFSET", 0.0)
    with jax.enable_x64(True):
        initial = ForceField.from_mlip_network(TestVisnet.network(), predict_stress=True)
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), initial.params)
        check_rotation(_Predict(ForceField(initial.predictor, params)), tolerance=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("vecnorm_type", ["none", "rms", "max_min"])
def test_gradients_are_finite_in_float32_where_vectors_vanish(vecnorm_type):
    chain = Atoms("HCCO", positions=[[0, 0, 0], [0, 0, 1.1], [0, 0, 2.3], [0, 0, 3.5]])
    isolated = Atoms("H", positions=[[50.0, 0.0, 0.0]])
    symmetric = Atoms("HCH", positions=[[0, 0, -1.1], [0, 0, 0], [0, 0, 1.1]])
    config = small(num_layers=3, vecnorm_type=vecnorm_type)
    predict = _Predict(ForceField.from_mlip_network(Visnet(config, DATASET_INFO)))
    for atoms in (chain, isolated, chain + isolated, symmetric):
        for leaf in jax.tree.leaves(predict.gradient_of_squared_forces(atoms)):
            assert np.isfinite(leaf).all()


def check_rotation(predict, tolerance):
    matrix = -Rotation.from_euler("xyz", [0.3, 1.1, -0.7]).as_matrix()
    for atoms in (molecule(), crystal()):
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ matrix.T)
        turned.positions = atoms.positions @ matrix.T
        before, after = predict(atoms), predict(turned)
        assert after.interaction_energy == pytest.approx(before.interaction_energy, rel=tolerance)
        np.testing.assert_allclose(after.forces, before.forces @ matrix.T, atol=tolerance)
        np.testing.assert_allclose(after.stress, matrix @ before.stress @ matrix.T, atol=tolerance)
