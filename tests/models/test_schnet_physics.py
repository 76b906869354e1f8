"""SchNet obeys physics."""

import numpy as np
import pytest

from mlip_core.models.schnet import Schnet
from mlip_core.models.schnet.network import gaussian_basis, shifted_softplus
from tests.models.physics import DATASET_INFO, PhysicsChecks


class TestSchnet(PhysicsChecks):
    @staticmethod
    def network():
        return Schnet(Schnet.Config(num_layers=2, num_channels=6, num_rbf=8), DATASET_INFO)


def test_basis_is_a_partition_of_the_range():
    """Section II B: equal Gaussians on a grid; between its ends their squares hardly vary."""
    lengths = np.linspace(1.0, 4.0, 50)
    basis = np.asarray(gaussian_basis(lengths, 5.0, 26))
    np.testing.assert_allclose(np.mean(basis**2, axis=1), 1.0, rtol=1e-3)
    assert basis[0].argmax() == 5  # 1.0 Å on a grid of 0.2 Å
    assert basis[0, 6] / basis[0, 5] == pytest.approx(np.exp(-0.5), rel=1e-5)


def test_activation_is_zero_and_smooth_at_zero():
    x = np.array([-30.0, 0.0, 2.0, 40.0])
    expected = np.log(0.5 * np.exp(x) + 0.5)
    np.testing.assert_allclose(shifted_softplus(x), expected, atol=1e-6)
