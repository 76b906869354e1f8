from .ase_config import ASESimulationConfig
from .jax_md_config import JaxMDSimulationConfig
from .simulation_config import SimulationConfig, TemperatureScheduleConfig

__all__ = [
    "ASESimulationConfig",
    "JaxMDSimulationConfig",
    "SimulationConfig",
    "TemperatureScheduleConfig",
]
