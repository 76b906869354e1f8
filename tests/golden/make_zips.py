"""Model zips of ``mlip==0.1.10``, for ``tests/models/test_model_io.py``.

Run in an environment of its own (``pip install "mlip==0.1.10" "jax<0.7"``) from this directory. It
writes ``zips/<architecture>.zip`` and, to ``zips/predictions.json``, energy and forces that the
library which wrote them predicts for the golden molecule.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from mlip.data import ChemicalSystem, DatasetInfo
from mlip.data.helpers import create_graph_from_chemical_system
from mlip.models import ForceField, Mace, Nequip, Visnet
from mlip.models.model_io import save_model_to_zip
from structures import ATOMIC_ENERGIES, CUTOFF_ANGSTROM, DATASET_INFO, structures

DIRECTORY = Path("zips")
MODELS = {
    "mace": (Mace, {"num_channels": 2, "num_layers": 1, "l_max": 1, "correlation": 2}),
    "nequip": (Nequip, {"node_irreps": "4x0e + 2x1o", "num_layers": 1, "l_max": 1}),
    "visnet": (Visnet, {"num_channels": 4, "num_heads": 2, "num_layers": 1, "l_max": 1}),
}


def molecule():
    structure = structures()["molecule"]
    species = np.searchsorted(sorted(ATOMIC_ENERGIES), structure["atomic_numbers"])
    forces = np.zeros_like(structure["positions"])
    system = ChemicalSystem(atomic_species=species, energy=0.0, forces=forces, **structure)
    graph = create_graph_from_chemical_system(
        system, CUTOFF_ANGSTROM, batch_it_with_minimal_dummy=True
    )
    return jax.tree.map(jnp.asarray, graph)


def main():
    DIRECTORY.mkdir(exist_ok=True)
    predictions = {}
    for architecture, (network, options) in MODELS.items():
        force_field = ForceField.from_mlip_network(
            network(network.Config(**options), DatasetInfo(**DATASET_INFO))
        )
        save_model_to_zip(DIRECTORY / f"{architecture}.zip", force_field)
        graph = molecule()
        prediction = force_field(graph)
        forces = np.asarray(prediction.forces, float)[: int(graph.n_node[0])]
        predictions[architecture] = {
            "energy": float(prediction.energy[0]),
            "forces": forces.tolist(),
        }
    (DIRECTORY / "predictions.json").write_text(json.dumps(predictions, indent=1) + "\n")


if __name__ == "__main__":
    main()
