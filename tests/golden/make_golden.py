"""Golden values from ``mlip==0.1.10``, for ``tests/models/test_golden.py``.

Run in an environment of its own (``pip install "mlip==0.1.10" "jax<0.7"``) from this directory:
``python make_golden.py ARCHITECTURE`` with mace, nequip or visnet. It adds to
``<architecture>.json`` what is missing there: for each set of options the names and shapes of the
parameters and, in float64, energy, forces and stress of each structure.
"""

import json
import sys
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import e3nn_jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from flax.traverse_util import flatten_dict, unflatten_dict  # noqa: E402
from mlip.data import ChemicalSystem, DatasetInfo  # noqa: E402
from mlip.data.helpers import create_graph_from_chemical_system  # noqa: E402
from mlip.models import ForceField, Mace, Nequip, Visnet  # noqa: E402
from structures import (  # noqa: E402
    ATOMIC_ENERGIES,
    CUTOFF_ANGSTROM,
    DATASET_INFO,
    OPTIONS,
    PARAMETER_SCALE,
    filled_like,
    structures,
)

_rechunk = e3nn_jax.IrrepsArray.rechunk


def rechunk(self, irreps):
    """``IrrepsArray.rechunk`` that leaves absent irreps absent instead of refusing them.

    With ``include_pseudotensors`` the other library asks for irreps that the first layer, whose
    features are scalars, cannot have. Unless helped, that option fails on every input.
    """
    irreps = e3nn_jax.Irreps(irreps)
    if self.irreps.simplify() == irreps.simplify():
        return _rechunk(self, irreps)
    chunks = {irrep: chunk for (_, irrep), chunk in zip(self.irreps, self.chunks, strict=True)}
    present = [chunks.get(irrep) for _, irrep in irreps]
    return e3nn_jax.from_chunks(irreps, present, self.shape[:-1], self.dtype)


e3nn_jax.IrrepsArray.rechunk = rechunk
NETWORKS = {"mace": Mace, "nequip": Nequip, "visnet": Visnet}


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


def values_of(architecture, options):
    network_class = NETWORKS[architecture]
    network = network_class(network_class.Config(**options), DatasetInfo(**DATASET_INFO))
    force_field = ForceField.from_mlip_network(network, predict_stress=True)
    shapes = {name: leaf.shape for name, leaf in flatten_dict(force_field.params, sep="/").items()}
    filled = filled_like(shapes, PARAMETER_SCALE[architecture])
    params = unflatten_dict({name: jnp.asarray(leaf) for name, leaf in filled.items()}, sep="/")
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
    (architecture,) = sys.argv[1:]
    path = Path(f"{architecture}.json")
    golden = json.loads(path.read_text()) if path.exists() else {}
    for name, options in OPTIONS[architecture].items():
        if name in golden and golden[name]["options"] == options:
            continue
        golden[name] = values_of(architecture, options)
        print(f"{name}: energy {golden[name]['values']['molecule']['energy']}", flush=True)
        path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
