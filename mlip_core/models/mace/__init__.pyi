from .config import MaceConfig
from .network import Mace

__all__ = [
    "Mace",
    "MaceConfig",
]
