"""mlip 0.1: its simulation engines."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from ase.io import read
from mlip.data import DatasetInfo
from mlip.models import ForceField, Mace
from mlip.simulation.ase import ASESimulationEngine
from mlip.simulation.jax_md import JaxMDSimulationEngine
from pacing import PacedEngine
from protocol import serve

ENOUGH_TURNS = 20_000


class Program:
    """An engine in the middle of a simulation."""

    def __init__(self, case: dict[str, Any]) -> None:
        atoms = read(case["structure"])
        info = DatasetInfo(
            atomic_energies_map=dict.fromkeys({int(z) for z in atoms.numbers}, -600.0),
            cutoff_distance_angstrom=case["cutoff"],
            avg_num_neighbors=case["avg_num_neighbors"],
            avg_r_min_angstrom=case["avg_r_min"],
            scaling_stdev=case["energy_scale"],
        )
        force_field = ForceField.from_mlip_network(Mace(Mace.Config(**case["network"]), info))
        settings = {
            "num_steps": ENOUGH_TURNS * case["steps"],
            "snapshot_interval": case["steps"],
            "timestep_fs": case["timestep_fs"],
            "temperature_kelvin": case["temperature_kelvin"],
        }
        if case["variant"] == "ase":
            ase = ASESimulationEngine.Config(
                log_interval=case["steps"], friction=case["friction"], **settings
            )
            engine = ASESimulationEngine(atoms, force_field, ase)
        else:
            if atoms.pbc.any():  # its cell has to come from the config
                settings["box"] = atoms.cell.lengths().tolist()
                atoms.pbc = False
            jax = JaxMDSimulationEngine.Config(num_episodes=ENOUGH_TURNS, **settings)
            engine = JaxMDSimulationEngine(atoms, force_field, jax)
        self._engine = PacedEngine(engine)

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {"versions": {name: version(name) for name in ("mlip", "jax", "jaxlib")}}

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``: what is counted are steps."""
        del task
        steps = self._engine.advance()
        return lambda: steps

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; not counted."""
        del task
        return {}


if __name__ == "__main__":
    serve(Program)
