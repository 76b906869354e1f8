from .committee import CommitteeCalculator
from .simulation.ase import ForceFieldCalculator

__all__ = [
    "CommitteeCalculator",
    "ForceFieldCalculator",
]
