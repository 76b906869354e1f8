"""MACE: higher-order equivariant message passing."""

from mlip_core.models.mace.config import MaceConfig
from mlip_core.models.mace.network import Mace

__all__ = ["Mace", "MaceConfig"]
