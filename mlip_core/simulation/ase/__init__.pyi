from .ase_simulation_engine import ASESimulationEngine
from .mlip_ase_calculator import ForceFieldCalculator, MLIPForceFieldASECalculator

__all__ = [
    "ASESimulationEngine",
    "ForceFieldCalculator",
    "MLIPForceFieldASECalculator",
]
