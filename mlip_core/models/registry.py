"""The networks by name. A package beside this module that exports a network is one.

To add an architecture ``name`` is to add the package ``mlip_core.models.name``, and nothing else:

- ``config.py``: ``<Class>Config``, a ``NetworkConfig`` with the hyperparameters, described in its
  docstring, and the ``recipe`` to train with. It does not import JAX.
- ``network.py``: ``<Class>``, an ``MLIPNetwork`` whose ``Config`` that is.
- ``__init__.py`` and ``__init__.pyi``, which export the two lazily, as those of its neighbours do.

Study files, their schema and reference (``python -m mlip_core.study.schema --fix`` writes them
anew), model zips, fine-tuning, calculators and exports then know it by its name.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import mlip_core.models
from mlip_core.models.network_config import NetworkConfig

if TYPE_CHECKING:
    from mlip_core.models.mlip_network import MLIPNetwork


def architectures() -> list[str]:
    """The names of all networks."""
    return sorted(_networks())


def network_class(architecture: str) -> "type[MLIPNetwork]":
    """The network of a name.

    Raises:
        KeyError: if there is none.
    """
    return _exported(architecture, _networks()[architecture])


def config_class(architecture: str) -> type[NetworkConfig]:
    """The config of the network of a name, ``network_class(architecture).Config``.

    The network itself is not imported, so that configs can be read without JAX.

    Raises:
        KeyError: if there is no such network.
    """
    return _exported(architecture, f"{_networks()[architecture]}Config")


def architecture_of(network: type) -> str | None:
    """The name of a network's class, ``None`` for one that is not listed here."""
    return next((name for name in architectures() if network_class(name) is network), None)


@cache
def _networks() -> dict[str, str]:
    """The class of each network: what its package exports together with its config."""
    packages = [x.name for x in pkgutil.iter_modules(mlip_core.models.__path__) if x.ispkg]
    exports = {package: getattr(_package(package), "__all__", []) for package in packages}
    return {
        package: name
        for package, names in exports.items()
        for name in names
        if f"{name}Config" in names
    }


def _package(name: str) -> ModuleType:
    return import_module(f"mlip_core.models.{name}")


def _exported(architecture: str, name: str) -> type:
    exported: type = getattr(_package(architecture), name)
    return exported
