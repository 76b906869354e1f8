"""ViSNet: attention over neighbours with vector-scalar interactive message passing."""

from mlip_core.models.visnet.config import VisnetConfig
from mlip_core.models.visnet.network import Visnet

__all__ = ["Visnet", "VisnetConfig"]
