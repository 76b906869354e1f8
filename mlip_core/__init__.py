"""Machine-learning interatomic potentials in JAX: data, models, training, inference."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_core.simulation.ase import ForceFieldCalculator

__all__ = ["ForceFieldCalculator"]


def __getattr__(name: str) -> Any:
    """Import the calculator only when it is asked for: the configs alone need no JAX."""
    if name == "ForceFieldCalculator":
        from mlip_core.simulation.ase import ForceFieldCalculator

        return ForceFieldCalculator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
