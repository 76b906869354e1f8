from .config import SchnetConfig
from .network import Schnet

__all__ = [
    "Schnet",
    "SchnetConfig",
]
