"""Golden values of MACE from ``mlip==0.1.10``, for ``tests/models/test_mace_golden.py``.

Run in an environment of its own (``pip install "mlip==0.1.10" "jax<0.7"``) from this directory:
``python make_mace.py``. It writes ``mace.json``: for each set of options the names and shapes of
the parameters and, in float64, energy, forces and stress of each structure.
"""

import json
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from flax.traverse_util import flatten_dict, unflatten_dict  # noqa: E402
from mlip.data import ChemicalSystem, DatasetInfo  # noqa: E402
from mlip.data.helpers import create_graph_from_chemical_system  # noqa: E402
from mlip.models import ForceField, Mace  # noqa: E402
from structures import (  # noqa: E402
    ATOMIC_ENERGIES,
    CUTOFF_ANGSTROM,
    DATASET_INFO,
    MACE_OPTIONS,
    filled_like,
    structures,
)


def graph_of(structure):
    elements = sorted(ATOMIC_ENERGIES)
    species = np.array([elements.index(z) for z in structure["atomic_numbers"]])
    system = ChemicalSystem(
        atomic_species=species,
        energy=0.0,
        forces=np.zeros_like(structure["positions"]),
        stress=np.zeros((3, 3)) if "cell" in structure else None,
        **structure,
    )
    graph = create_graph_from_chemical_system(
        system, CUTOFF_ANGSTROM, batch_it_with_minimal_dummy=True
    )
    return jax.tree.map(jnp.asarray, graph)


def values_of(options):
    network = Mace(Mace.Config(**options), DatasetInfo(**DATASET_INFO))
    force_field = ForceField.from_mlip_network(network, predict_stress=True)
    shapes = {name: leaf.shape for name, leaf in flatten_dict(force_field.params, sep="/").items()}
    params = unflatten_dict(
        {name: jnp.asarray(leaf) for name, leaf in filled_like(shapes).items()}, sep="/"
    )
    values = {}
    for name, structure in structures().items():
        prediction = force_field.predictor.apply(params, graph_of(structure))
        n_atoms = len(structure["positions"])
        values[name] = {
            "energy": float(prediction.energy[0]),
            "forces": np.asarray(prediction.forces)[:n_atoms].tolist(),
            "stress": np.asarray(prediction.stress)[0].tolist() if "cell" in structure else None,
        }
    return {"options": options, "shapes": shapes, "values": values}


def main():
    golden = {}
    for name, options in MACE_OPTIONS.items():
        golden[name] = values_of(options)
        print(f"{name}: energy {golden[name]['values']['molecule']['energy']}", flush=True)
        Path("mace.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
