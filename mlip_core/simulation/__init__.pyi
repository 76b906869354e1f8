from .enums import SimulationType
from .state import SimulationState

__all__ = [
    "SimulationState",
    "SimulationType",
]
