"""Parameters of one model in another: more heads, fewer elements, nothing lost on the way."""

from typing import Any

import jax
import numpy as np
import pytest
from ase import Atoms

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Mace, Nequip, Visnet
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.params_transfer import (
    ParameterTransferImpossibleError,
    select_elements,
    transfer_params,
)
from mlip_core.models.schnet import Schnet
from mlip_core.simulation.ase import ForceFieldCalculator

INFO = DatasetInfo(
    atomic_energies_map={1: -1.0, 6: -2.0, 7: -3.0, 8: -4.0, 16: -5.0},
    cutoff_distance_angstrom=3.0,
    avg_num_neighbors=3.5,
    avg_r_min_angstrom=1.0,
)


def mace(**options: Any) -> Mace:
    tiny = {"num_channels": 2, "l_max": 1, "correlation": 2, "readout_irreps": ["2x0e", "0e"]}
    return Mace(Mace.Config(**(tiny | options)), INFO)


NETWORKS = {
    "mace": mace(num_layers=2, species_embedding_dim=2),
    "nequip": Nequip(
        Nequip.Config(num_layers=2, node_irreps="2x0e + 2x1o", l_max=1, radial_net_n_hidden=2), INFO
    ),
    "schnet": Schnet(Schnet.Config(num_layers=1, num_channels=2, num_rbf=3), INFO),
    "visnet": Visnet(
        Visnet.Config(num_layers=1, num_channels=2, num_heads=1, l_max=1, num_rbf=3), INFO
    ),
}


def leaves(params: Any) -> dict[str, np.ndarray]:
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def test_more_heads_keep_the_trained_ones_and_scale_the_new() -> None:
    source = ForceField.from_mlip_network(mace(num_readout_heads=1), seed=1)
    larger = ForceField.from_mlip_network(mace(num_readout_heads=3), seed=2)
    before = leaves(larger.params)
    params, names = transfer_params(source.params, larger.params, scale_factor=0.25)
    assert names == [  # as the 0.1 series names them
        *("LinearReadoutBlock_1", "LinearReadoutBlock_2"),
        *("NonLinearReadoutBlock_1", "NonLinearReadoutBlock_2"),
    ]
    trained = leaves(source.params)
    merged = leaves(params)
    assert merged.keys() == before.keys() > trained.keys()
    for path, leaf in merged.items():
        np.testing.assert_array_equal(leaf, trained.get(path, 0.25 * before[path]))
    jax.tree.map(np.testing.assert_array_equal, leaves(larger.params), before)


def test_new_blocks_are_named_by_their_outermost_name() -> None:
    source = {"params": {"a": {"w": np.ones(2)}}}
    larger = {"params": {"a": {"w": np.zeros(2), "v": np.ones(2)}, "b": {"c": {"w": np.ones(2)}}}}
    params, names = transfer_params(source, larger, 2.0)
    assert names == ["v", "b"]
    np.testing.assert_array_equal(params["params"]["a"]["w"], 1.0)
    np.testing.assert_array_equal(params["params"]["b"]["c"]["w"], 2.0)


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ({"a": np.ones(2), "b": np.ones(1)}, {"a": np.ones(2)}, "parameter b: the new model has"),
        ({"a": {"w": np.ones(2)}}, {"a": {"w": np.ones(3)}}, r"a/w: has shape \(2,\) .* \(3,\)"),
        ({"a": {"w": np.ones(2)}}, {"a": np.ones(2)}, "parameter a/w"),
    ],
)
def test_what_does_not_fit_is_refused(source: Any, destination: Any, message: str) -> None:
    with pytest.raises(ParameterTransferImpossibleError, match=message):
        transfer_params(source, destination)


@pytest.mark.parametrize("name", NETWORKS)
def test_fewer_elements_give_the_same_energies_and_forces(name: str) -> None:
    force_field = ForceField.from_mlip_network(NETWORKS[name], seed=3)
    smaller = select_elements(force_field, {8, 1, 6})
    assert smaller.dataset_info.atomic_energies_map == {1: -1.0, 6: -2.0, 8: -4.0}
    sizes = [sum(x.size for x in jax.tree.leaves(ff.params)) for ff in (smaller, force_field)]
    assert sizes[0] < sizes[1]
    atoms = Atoms("CHOHH", [[0, 0, 0], [1, 0.1, 0], [0, 1.2, 0.3], [0.2, 0, 1.1], [-0.9, -0.3, 0]])
    predicted = []
    for model in (force_field, smaller):
        atoms.calc = ForceFieldCalculator(model)
        predicted.append((atoms.get_potential_energy(), atoms.get_forces()))
    assert np.abs(predicted[0][1]).max() > 1e-3
    assert predicted[1][0] == pytest.approx(predicted[0][0], abs=1e-5)
    np.testing.assert_allclose(predicted[1][1], predicted[0][1], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_names_its_readouts(name: str) -> None:
    network: MLIPNetwork = NETWORKS[name]
    paths = leaves(ForceField.from_mlip_network(network).params)
    for block in network.readout_blocks():
        assert any("/".join(block.split("/")) in _slashed(path) for path in paths), block


def _slashed(path: str) -> str:
    return path.replace("']['", "/")
