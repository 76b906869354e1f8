from .force_field import ForceField
from .mace import Mace
from .nequip import Nequip
from .predictor import ForceFieldPredictor
from .visnet import Visnet

__all__ = [
    "ForceField",
    "ForceFieldPredictor",
    "Mace",
    "Nequip",
    "Visnet",
]
