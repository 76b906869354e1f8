from .simulation.ase import ForceFieldCalculator

__all__ = [
    "ForceFieldCalculator",
]
