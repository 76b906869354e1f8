"""NequIP: equivariant message passing with gated features."""

from mlip_core.models.nequip.config import NequipConfig
from mlip_core.models.nequip.network import Nequip

__all__ = ["Nequip", "NequipConfig"]
