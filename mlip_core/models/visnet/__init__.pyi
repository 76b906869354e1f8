from .config import VisnetConfig
from .network import Visnet

__all__ = [
    "Visnet",
    "VisnetConfig",
]
