"""Mistakes in the hyperparameters of NequIP are named."""

import pytest
from pydantic import ValidationError

from mlip_core.models import Nequip


def test_defaults_are_valid():
    Nequip.Config.model_validate(Nequip.Config().model_dump())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"node_irreps": "128x0"}, "not a list of irreps"),
        ({"node_irreps": ""}, "not a list of irreps"),
        ({"node_irreps": "4x0o + 3x1o"}, "add at least '2x0e'"),
        ({"node_irreps": "1x0e + 3x1o"}, "add at least '2x0e'"),
        ({"node_irreps": "4x0e + 0x1o"}, "multiplicity is zero"),
        ({"scalar_mlp_std": 0.0}, "scalar_mlp_std"),
        ({"radial_net_n_layers": 0}, "radial_net_n_layers"),
        ({"num_channels": 4}, "num_channels"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ValidationError, match=message):
        Nequip.Config(**options)
