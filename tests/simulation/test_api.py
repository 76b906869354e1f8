"""Names, signatures and defaults that the simulations guide of the 0.1 API promises."""

import inspect

import pytest

from mlip_core.simulation import SimulationState, SimulationType, enums, temperature_scheduling
from mlip_core.simulation.ase.ase_simulation_engine import ASESimulationEngine
from mlip_core.simulation.ase.mlip_ase_calculator import MLIPForceFieldASECalculator
from mlip_core.simulation.configs import (
    ASESimulationConfig,
    JaxMDSimulationConfig,
    SimulationConfig,
    TemperatureScheduleConfig,
)
from mlip_core.simulation.jax_md.jax_md_simulation_engine import JaxMDSimulationEngine
from mlip_core.simulation.simulation_engine import SimulationEngine
from mlip_core.simulation.utils import create_graph_from_atoms, has_simulation_exploded

COMMON = {
    "simulation_type": SimulationType.MD,
    "num_steps": 20,
    "snapshot_interval": 1,
    "box": None,
    "edge_capacity_multiplier": 1.25,
}
DYNAMICS = COMMON | {"timestep_fs": 1.0, "temperature_kelvin": 300.0}


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (SimulationEngine, "atoms force_field config"),
        (ASESimulationEngine, "atoms force_field config"),
        (JaxMDSimulationEngine, "atoms force_field config"),
        (SimulationEngine.attach_logger, "self logger"),
        (
            MLIPForceFieldASECalculator,
            "atoms edge_capacity_multiplier force_field allow_nodes_to_change",
        ),
        (MLIPForceFieldASECalculator.calculate, "self atoms properties system_changes"),
        (
            SimulationState,
            "atomic_numbers positions forces velocities temperature kinetic_energy step",
        ),
        (
            temperature_scheduling.get_temperature_schedule,
            "temperature_schedule_config num_steps",
        ),
        (temperature_scheduling.constant_schedule, "temperature"),
        (temperature_scheduling.linear_schedule, "start_temperature end_temperature duration"),
        (
            temperature_scheduling.triangle_schedule,
            "max_temperature min_temperature heating_period",
        ),
        (has_simulation_exploded, "temperatures"),
        (
            create_graph_from_atoms,
            "atoms senders receivers displacement_fun allowed_atomic_numbers cell shifts",
        ),
    ],
)
def test_arguments(function, names):
    expected = names.split()
    assert list(inspect.signature(function).parameters)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("config_class", "expected"),
    [
        (SimulationConfig, COMMON),
        (
            ASESimulationConfig,
            DYNAMICS
            | {"friction": 0.1, "log_interval": 10, "max_force_convergence_threshold": None},
        ),
        (JaxMDSimulationConfig, DYNAMICS | {"num_episodes": 2}),
    ],
)
def test_defaults(config_class, expected):
    config = config_class(num_steps=20)
    assert {name: getattr(config, name) for name in expected} == expected
    schedule = config.temperature_schedule_config
    assert schedule == TemperatureScheduleConfig(temperature=300.0)


def test_members():
    assert {one.name: one.value for one in enums.SimulationType} == {
        "MD": "md",
        "MINIMIZATION": "minimization",
    }
    assert {one.name: one.value for one in enums.SimulationBackend} == {
        "JAX_MD": "jaxmd",
        "ASE": "ase",
    }
    assert [one.value for one in enums.TemperatureScheduleMethod] == [
        "constant",
        "linear",
        "triangle",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": 0}, "greater than 0"),
        ({"num_steps": 10, "edge_capacity_multiplier": 0.9}, "greater than or equal to 1"),
        ({"num_steps": 10, "num_episodes": 3}, "Number of episodes must evenly divide"),
        ({"num_steps": 10, "snapshot_interval": 3}, "Snapshot interval must evenly divide"),
        ({"num_steps": 105}, "set num_episodes"),
        ({"num_steps": 10, "temperature_kelvin": None}, "dynamics need temperature_kelvin"),
        ({"num_steps": 10, "box": [1.0, 2.0]}, "at least 3 items"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        JaxMDSimulationConfig(**settings)


def test_configs_of_the_engines():
    assert ASESimulationEngine.Config is ASESimulationConfig
    assert JaxMDSimulationEngine.Config is JaxMDSimulationConfig
    assert ASESimulationConfig(num_steps=5000).log_interval == 1000
    assert JaxMDSimulationConfig(num_steps=5000).num_episodes == 5
