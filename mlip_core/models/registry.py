"""The networks by name: the one place that knows which there are.

A network's module is imported when it is asked for, so that configs can be read without JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from mlip_core.models.mlip_network import MLIPNetwork

_NETWORKS = {"mace": "Mace", "nequip": "Nequip", "visnet": "Visnet"}
"""Class names; a network ``name`` is a package ``mlip_core.models.<name>`` that exports both the
class and its config, the class name followed by ``Config``."""


def architectures() -> list[str]:
    """The names of all networks."""
    return sorted(_NETWORKS)


def network_class(architecture: str) -> "type[MLIPNetwork]":
    """The network of a name.

    Raises:
        KeyError: if there is none.
    """
    return _exported(architecture, _NETWORKS[architecture])


def config_class(architecture: str) -> type[BaseModel]:
    """The config of the network of a name, ``network_class(architecture).Config``.

    Raises:
        KeyError: if there is no such network.
    """
    return _exported(architecture, f"{_NETWORKS[architecture]}Config")


def architecture_of(network: type) -> str | None:
    """The name of a network's class, ``None`` for one that is not listed here."""
    return next((name for name in architectures() if network_class(name) is network), None)


def _exported(architecture: str, name: str) -> type:
    exported: type = getattr(import_module(f"mlip_core.models.{architecture}"), name)
    return exported
