"""Each network gives the numbers of the library whose file format it shares."""

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
from mlip_core.models import ForceField, ForceFieldPredictor
from mlip_core.models.registry import network_class

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import structures as golden_inputs  # noqa: E402

CASES = {
    architecture: json.loads((GOLDEN / f"{architecture}.json").read_text())
    for architecture in golden_inputs.OPTIONS
    if (GOLDEN / f"{architecture}.json").exists()
}


def all_cases() -> list:
    return [
        pytest.param(
            architecture,
            name,
            id=f"{architecture}-{name}",
            marks=() if name in golden_inputs.QUICK[architecture] else pytest.mark.slow,
        )
        for architecture, cases in CASES.items()
        for name in sorted(cases)
    ]


def force_field(architecture: str, case: dict, dtype: type) -> ForceField:
    network = network_class(architecture)
    dataset_info = DatasetInfo(**golden_inputs.DATASET_INFO)
    predictor = ForceFieldPredictor(
        network(network.Config(**case["options"]), dataset_info), predict_stress=True
    )
    expected = ForceField.shapes_of(predictor)
    shapes = {name: leaf.shape for name, leaf in flatten_dict(expected, sep="/").items()}
    assert shapes == {name: tuple(shape) for name, shape in case["shapes"].items()}
    filled = golden_inputs.filled_like(shapes, golden_inputs.PARAMETER_SCALE[architecture])
    params = unflatten_dict({name: jnp.asarray(x, dtype) for name, x in filled.items()}, sep="/")
    return ForceField(predictor, params)


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


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize(("architecture", "name"), all_cases())
def test_values(architecture, name, dtype, tolerance):
    case = CASES[architecture][name]
    tolerance = max(tolerance, golden_inputs.COARSE[architecture].get(name, 0.0))
    with jax.enable_x64(dtype is np.float64):
        model = force_field(architecture, case, dtype)
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


@pytest.mark.parametrize("architecture", sorted(CASES))
def test_every_set_of_options_has_its_values(architecture):
    options = {name: case["options"] for name, case in CASES[architecture].items()}
    assert options == golden_inputs.OPTIONS[architecture]
    assert golden_inputs.QUICK[architecture] <= set(options)
    assert set(golden_inputs.COARSE[architecture]) <= set(options)


def assert_close(actual, expected, tolerance, scale=0.0):
    """Relative to the largest component, or to a scale if that is larger."""
    scale = max(scale, np.abs(expected).max())
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=tolerance * scale)
