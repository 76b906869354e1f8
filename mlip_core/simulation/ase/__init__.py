"""ASE calculators."""

from mlip_core.simulation.ase.mlip_ase_calculator import (
    ForceFieldCalculator,
    MLIPForceFieldASECalculator,
)

__all__ = ["ForceFieldCalculator", "MLIPForceFieldASECalculator"]
