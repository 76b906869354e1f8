"""A mistake in a network's hyperparameters is refused, by key, value and what to do."""

import pytest
from pydantic import ValidationError

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField
from mlip_core.models.registry import architectures, network_class

DATASET_INFO = DatasetInfo(
    atomic_energies_map={1: -13.5, 8: -2042.75}, cutoff_distance_angstrom=3.0
)
MISTAKES = [
    ("mace", {"node_symmetry": 4}, "node_symmetry .4. is larger than l_max .3.: lower it or raise"),
    ("mace", {"readout_irreps": ["16x0e"]}, r"readout_irreps \['16x0e'\]: must be .* and '0e'"),
    ("mace", {"readout_irreps": ["16x0e", "2x0e"]}, "readout_irreps .*'2x0e'.* and '0e'"),
    ("mace", {"readout_irreps": ["4x0o", "0e"]}, "readout_irreps .* pseudoscalars"),
    ("mace", {"readout_irreps": ["16", "0e"]}, "'16' is not a list of irreps such as '16x0e"),
    (
        "mace",
        {"species_embedding_dim": 0},
        "species_embedding_dim\n.*greater than 0.*input_value=0",
    ),
    ("mace", {"radial_envelope": "soft"}, "'polynomial_envelope' or 'soft_envelope'.*'soft'"),
    ("nequip", {"node_irreps": "8x1o"}, "node_irreps '8x1o': .*; add at least '2x0e'"),
    ("nequip", {"node_irreps": "8x0e + 0x1o"}, "node_irreps .* multiplicity is zero; leave"),
    ("visnet", {"num_heads": 7}, "num_channels .256. is not a multiple of num_heads .7.: change"),
    ("visnet", {"vecnorm_type": "max"}, "'rms', 'max_min' or 'none'.*'max'"),
    *[
        mistake
        for architecture in architectures()
        for mistake in (
            (architecture, {"num_layers": 0}, "num_layers\n.*greater than 0.*input_value=0"),
            (architecture, {"num_chanels": 8}, "num_chanels\n.*not permitted"),
            (architecture, {"atomic_energies": "none"}, "'average' or 'zero'.*input_value='none'"),
        )
    ],
]


@pytest.mark.parametrize(("architecture", "options", "message"), MISTAKES)
def test_mistake_is_named(architecture, options, message):
    with pytest.raises(ValidationError, match=message):
        network_class(architecture).Config(**options)


@pytest.mark.parametrize("architecture", architectures())
def test_what_does_not_fit_the_dataset_is_named(architecture):
    network = network_class(architecture)
    few = network(network.Config(num_species=1), DATASET_INFO)
    with pytest.raises(ValueError, match=r"num_species \(1\) is less than .*raise it or leave"):
        ForceField.from_mlip_network(few)
    incomplete = network(network.Config(atomic_energies={1: -13.5}), DATASET_INFO)
    with pytest.raises(ValueError, match=r"atomic_energies: no energy .*\[8\].*add them"):
        ForceField.from_mlip_network(incomplete)
