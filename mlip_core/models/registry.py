"""The networks by name: the one place that knows which there are."""

import flax.linen as nn

from mlip_core.models.mace.network import Mace
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.nequip.network import Nequip
from mlip_core.models.visnet.network import Visnet

_NETWORKS: dict[str, type[MLIPNetwork]] = {"mace": Mace, "nequip": Nequip, "visnet": Visnet}


def architectures() -> list[str]:
    """The names of all networks."""
    return sorted(_NETWORKS)


def network_class(architecture: str) -> type[MLIPNetwork]:
    """The network of a name.

    Raises:
        KeyError: if there is none.
    """
    return _NETWORKS[architecture]


def architecture_of(network: type[nn.Module]) -> str | None:
    """The name of a network's class, ``None`` for one that is not listed here."""
    return next((name for name, known in _NETWORKS.items() if known is network), None)
