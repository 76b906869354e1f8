from .config import NequipConfig
from .network import Nequip

__all__ = [
    "Nequip",
    "NequipConfig",
]
