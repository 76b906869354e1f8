"""Parameters are drawn from the right distributions, each by its name and the seed alone."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Mace
from mlip_core.models.initializers import (
    ONES,
    ZEROS,
    Initializer,
    constant,
    draw_parameters,
    normal,
    xavier_uniform,
)
from mlip_core.models.mlip_network import MLIPNetwork

DATASET_INFO = DatasetInfo(atomic_energies_map={1: -13.5}, cutoff_distance_angstrom=3.0)
SHAPE = (300, 1000)
INITIALIZERS = {
    "normal": normal(0.3),
    "xavier_uniform": xavier_uniform(*SHAPE),
    "shifted": Initializer(mean=2.0, scale=0.5),
}


def by_key(initializer) -> np.ndarray:
    return np.asarray(nn.meta.unbox(initializer(jax.random.key(0), SHAPE)))


@pytest.mark.parametrize("initializer", INITIALIZERS.values(), ids=INITIALIZERS)
def test_host_and_device_draw_from_one_distribution(initializer):
    quantiles = np.linspace(0, 1, 11)[1:-1]
    host = np.quantile(initializer.draw(0, SHAPE), quantiles)
    device = np.quantile(by_key(initializer), quantiles)
    np.testing.assert_allclose(host, device, atol=0.03 * initializer.scale)


def test_xavier_uniform_is_that_of_jax():
    expected = jax.nn.initializers.xavier_uniform()(jax.random.key(1), SHAPE)
    drawn = xavier_uniform(*SHAPE).draw(1, SHAPE)
    assert drawn.std() == pytest.approx(float(expected.std()), rel=0.02)
    assert np.abs(drawn).max() == pytest.approx(float(np.abs(expected).max()), rel=1e-3)


@pytest.mark.parametrize(
    ("initializer", "value"),
    [(ZEROS, 0.0), (ONES, 1.0), (constant(np.arange(1000.0)), np.arange(1000.0))],
    ids=["zeros", "ones", "vector"],
)
def test_constants(initializer, value):
    assert (initializer.draw(5, SHAPE) == value).all()
    assert (by_key(initializer) == value).all()


def test_a_parameter_depends_on_its_name_and_the_seed_alone():
    def parameters(seed, **options):
        network = Mace(Mace.Config(num_channels=2, l_max=1, correlation=2, **options), DATASET_INFO)
        return flatten_dict(ForceField.from_mlip_network(network, seed=seed).params, sep="/")

    small, large, other = parameters(1), parameters(1, gate_nodes=True), parameters(2)
    assert set(small) < set(large)
    for name, values in small.items():
        np.testing.assert_array_equal(values, large[name])
        assert (values != other[name]).all()
    assert len({values.ravel()[0].item() for values in small.values()}) == len(small)


def test_unknown_distributions_are_left_to_flax():
    class Linear(MLIPNetwork):
        @nn.compact
        def __call__(self, edge_vectors, node_species, senders, receivers, blocks=None):
            weights = self.param("weights", normal(1.0), (3,))
            ones = jax.numpy.ones((len(node_species), 3))
            return nn.Dense(1)(ones * weights)[:, 0]

        def atomic_energies(self):
            return (0.0,)

    network = Linear(config=Mace.Config(), dataset_info=DATASET_INFO)
    params = ForceField.from_mlip_network(network, seed=3).params
    leaves = flatten_dict(params["params"]["mlip_network"], sep="/")
    assert {name: leaf.shape for name, leaf in leaves.items()} == {
        "weights": (3,),
        "Dense_0/kernel": (3, 1),
        "Dense_0/bias": (1,),
    }
    assert leaves["weights"].any()
    assert leaves["Dense_0/kernel"].any()
    assert draw_parameters(params, 3) is None
