"""MACE gives the numbers of the library whose file format it shares."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from mlip_core.data import ChemicalSystem, DatasetInfo
from mlip_core.data.helpers import create_graph_from_chemical_system
from mlip_core.models import ForceField, Mace

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import structures as golden_inputs  # noqa: E402

# The other library computes the norm of the radial basis in float32, whatever the model's dtype.
COARSE = {"given_scales": 1e-6}
CASES = json.loads((GOLDEN / "mace.json").read_text())
NOT_YET = {"gate_nodes", "species_embedding"}


def force_field(case: dict, dtype: type) -> ForceField:
    dataset_info = DatasetInfo(**golden_inputs.DATASET_INFO)
    network = Mace(Mace.Config(**case["options"]), dataset_info)
    initial = ForceField.from_mlip_network(network, predict_stress=True)
    shapes = {name: leaf.shape for name, leaf in flatten_dict(initial.params, sep="/").items()}
    assert shapes == {name: tuple(shape) for name, shape in case["shapes"].items()}
    filled = golden_inputs.filled_like(shapes)
    params = unflatten_dict({name: jnp.asarray(x, dtype) for name, x in filled.items()}, sep="/")
    return ForceField(initial.predictor, params)


def graph(structure: dict, dtype: type):
    elements = sorted(golden_inputs.ATOMIC_ENERGIES)
    system = ChemicalSystem(
        atomic_species=np.searchsorted(elements, structure["atomic_numbers"]), **structure
    )
    plain = create_graph_from_chemical_system(
        system, golden_inputs.CUTOFF_ANGSTROM, batch_it_with_minimal_dummy=True
    )
    return jax.tree.map(
        lambda x: jnp.asarray(
            x, dtype if np.issubdtype(np.asarray(x).dtype, np.floating) else None
        ),
        plain,
    )


QUICK = {"l_max_2", "l_max_1_correlation_2", "given_scales"}
NAMES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in sorted(set(CASES) - NOT_YET)
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("name", NAMES)
def test_values(name, dtype, tolerance):
    case = CASES[name]
    with jax.enable_x64(dtype is np.float64):
        model = force_field(case, dtype)
        tolerance = max(tolerance, COARSE.get(name, 0.0))
        for structure_name, structure in golden_inputs.structures().items():
            prediction = model(graph(structure, dtype))
            expected = case["values"][structure_name]
            n_atoms = len(structure["positions"])
            assert prediction.forces.dtype == dtype
            assert_close(prediction.energy[0], expected["energy"], tolerance)
            assert_close(prediction.forces[:n_atoms], expected["forces"], tolerance)
            if expected["stress"] is not None:
                # Stress is a sum of much larger terms that cancel, of the order of force x length.
                volume = abs(np.linalg.det(structure["cell"]))
                term = np.abs(expected["forces"]).max() * golden_inputs.CUTOFF_ANGSTROM / volume
                assert_close(prediction.stress[0], expected["stress"], tolerance, scale=term)


def assert_close(actual, expected, tolerance, scale=0.0):
    """Relative to the largest component, or to a scale if that is larger."""
    scale = max(scale, np.abs(expected).max())
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=tolerance * scale)
