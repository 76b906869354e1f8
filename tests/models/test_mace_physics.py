"""MACE obeys physics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models import ForceField, Mace
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder
from tests.models.physics import CUTOFF, DATASET_INFO, PhysicsChecks, molecule


class TestMace(PhysicsChecks):
    @staticmethod
    def network():
        config = Mace.Config(num_channels=4, l_max=2, node_symmetry=1, correlation=3)
        return Mace(config, DATASET_INFO)


@pytest.mark.slow
class TestMaceWithAllDegrees(PhysicsChecks):
    @staticmethod
    def network():
        return Mace(Mace.Config(num_channels=4, l_max=3), DATASET_INFO)


@pytest.mark.slow
class TestMaceWithAllOptions(PhysicsChecks):
    @staticmethod
    def network():
        config = Mace.Config(
            num_channels=4,
            l_max=2,
            correlation=2,
            num_readout_heads=2,
            include_pseudotensors=True,
            symmetric_tensor_product_basis=True,
            gate_nodes=True,
            species_embedding_dim=3,
            radial_envelope="soft_envelope",
            remat=True,
        )
        return Mace(config, DATASET_INFO)


def test_remat_changes_neither_values_nor_derivatives():
    graph = PaddedGraphBuilder([1, 6, 8], CUTOFF, dtype=np.float64).build(molecule())

    def parameters_and_gradient(remat: bool):
        config = Mace.Config(
            num_channels=34,  # several groups of channels
            l_max=2,
            node_symmetry=1,
            correlation=2,
            include_pseudotensors=True,
            remat=remat,
        )
        force_field = ForceField.from_mlip_network(Mace(config, DATASET_INFO))
        params = jax.tree.map(lambda x: x.astype(jnp.float64), force_field.params)

        def loss(params):
            return jnp.sum(force_field.predictor.apply(params, graph).forces ** 2)

        return params, jax.jit(jax.grad(loss))(params)

    with jax.enable_x64(True):
        plain, recomputed = parameters_and_gradient(False), parameters_and_gradient(True)
        jax.tree.map(np.testing.assert_array_equal, plain[0], recomputed[0])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(a).max()),
            plain[1],
            recomputed[1],
        )
