from .jax_md_simulation_engine import JaxMDSimulationEngine

__all__ = [
    "JaxMDSimulationEngine",
]
