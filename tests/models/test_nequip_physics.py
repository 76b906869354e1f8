"""NequIP obeys physics."""

import pytest

from mlip_core.models import Nequip
from tests.models.physics import DATASET_INFO, PhysicsChecks


class TestNequip(PhysicsChecks):
    @staticmethod
    def network():
        config = Nequip.Config(node_irreps="4x0e + 3x1o", l_max=1, radial_net_n_hidden=16)
        return Nequip(config, DATASET_INFO)


@pytest.mark.slow
class TestNequipWithPseudotensors(PhysicsChecks):
    """Enough layers that irreps of both parities reach the energy."""

    @staticmethod
    def network():
        config = Nequip.Config(
            num_layers=5,
            node_irreps="4x0e + 2x0o + 3x1o + 3x1e + 2x2e + 2x2o",
            l_max=2,
            radial_net_n_hidden=16,
        )
        return Nequip(config, DATASET_INFO)


@pytest.mark.slow
class TestNequipWithAllDegrees(PhysicsChecks):
    @staticmethod
    def network():
        config = Nequip.Config(
            node_irreps="3x1o + 4x0e + 2x2e + 2x3o",
            l_max=3,
            radial_net_nonlinearity="tanh",
            radial_envelope="soft_envelope",
            radial_net_n_hidden=16,
        )
        return Nequip(config, DATASET_INFO)
