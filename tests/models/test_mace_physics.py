"""MACE obeys physics."""

import pytest

from mlip_core.models import Mace
from tests.models.physics import DATASET_INFO, PhysicsChecks


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
