from .mlip_ase_calculator import ForceFieldCalculator, MLIPForceFieldASECalculator

__all__ = [
    "ForceFieldCalculator",
    "MLIPForceFieldASECalculator",
]
