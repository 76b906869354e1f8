"""Networks, the predictor that turns node energies into forces and stress, and the model zip."""

from mlip_core.models.force_field import ForceField
from mlip_core.models.mace import Mace
from mlip_core.models.nequip import Nequip
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.models.visnet import Visnet

__all__ = ["ForceField", "ForceFieldPredictor", "Mace", "Nequip", "Visnet"]
