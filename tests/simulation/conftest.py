"""One tiny force field for all tests of simulations, and a count of compilations."""

import jax.monitoring
import pytest

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Mace


@pytest.fixture(scope="session")
def tiny_force_field() -> ForceField:
    """One layer, two channels."""
    info = DatasetInfo(
        atomic_energies_map={1: -13.5, 8: -2042.75, 14: -7900.5},
        cutoff_distance_angstrom=3.0,
        avg_num_neighbors=4.0,
    )
    config = Mace.Config(num_channels=2, l_max=1, num_layers=1, correlation=2)
    return ForceField.from_mlip_network(Mace(config, info))


@pytest.fixture(scope="session")
def compilations() -> list[str]:
    """Grows by one entry for each program that XLA compiles or fetches from its cache."""
    found: list[str] = []

    def listen(event: str, duration: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return found
