"""Inputs of the golden values, shared by the script that makes them and the test that reads them.

It imports nothing of the project, so that the script can run in the environment of the other
library.
"""

import zlib
from typing import Any

import numpy as np

CUTOFF_ANGSTROM = 3.0
ATOMIC_ENERGIES = {1: -13.5, 6: -1029.25, 8: -2042.75}
DATASET_INFO = {
    "atomic_energies_map": ATOMIC_ENERGIES,
    "cutoff_distance_angstrom": CUTOFF_ANGSTROM,
    "avg_num_neighbors": 7.3,
    "scaling_mean": 0.125,
    "scaling_stdev": 1.75,
}
MACE_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {"num_channels": 4},
    "l_max_2": {"num_channels": 4, "l_max": 2, "node_symmetry": 1},
    "l_max_1_correlation_2": {"num_channels": 4, "l_max": 1, "correlation": 2},
    "correlation_1": {"num_channels": 4, "l_max": 2, "correlation": 1},
    "scalar_nodes": {"num_channels": 4, "l_max": 3, "node_symmetry": 0},
    "symmetric_basis": {
        "num_channels": 4,
        "l_max": 3,
        "node_symmetry": 1,
        "symmetric_tensor_product_basis": True,
    },
    "three_layers": {
        "num_channels": 4,
        "num_layers": 3,
        "l_max": 2,
        "readout_irreps": ["8x0e", "0e"],
        "num_bessel": 6,
    },
    "two_heads": {"num_channels": 4, "l_max": 2, "num_readout_heads": 2},
    "gate_nodes": {"num_channels": 4, "l_max": 2, "gate_nodes": True},
    "species_embedding": {"num_channels": 4, "l_max": 2, "species_embedding_dim": 5},
    "soft_envelope_tanh": {
        "num_channels": 4,
        "l_max": 2,
        "radial_envelope": "soft_envelope",
        "activation": "tanh",
    },
    "zero_atomic_energies": {"num_channels": 4, "l_max": 1, "atomic_energies": "zero"},
    "given_scales": {"num_channels": 4, "l_max": 1, "avg_num_neighbors": 3.0, "avg_r_min": 1.2},
    "gate_nodes_symmetric_basis": {
        "num_channels": 4,
        "l_max": 3,
        "node_symmetry": 1,
        "gate_nodes": True,
        "symmetric_tensor_product_basis": True,
    },
    "pseudotensors": {"num_channels": 4, "l_max": 2, "include_pseudotensors": True},
    "pseudotensors_l_max_3": {
        "num_channels": 4,
        "l_max": 3,
        "node_symmetry": 1,
        "correlation": 2,
        "include_pseudotensors": True,
    },
    "pseudotensors_symmetric_basis": {
        "num_channels": 4,
        "l_max": 2,
        "node_symmetry": 1,
        "include_pseudotensors": True,
        "symmetric_tensor_product_basis": True,
        "gate_nodes": True,
    },
    "everything": {
        "num_channels": 3,
        "num_layers": 3,
        "l_max": 1,
        "num_readout_heads": 2,
        "include_pseudotensors": True,
        "gate_nodes": True,
        "species_embedding_dim": 3,
        "activation": "elu",
    },
    "gated_readout": {"num_channels": 4, "l_max": 1, "readout_irreps": ["2x0o+4x0e+3x1o", "0e"]},
    "more_species_sigmoid": {
        "num_channels": 4,
        "l_max": 1,
        "num_species": 5,
        "species_embedding_dim": 2,
        "activation": "sigmoid",
    },
}
NEQUIP_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "all_parities": {
        "num_layers": 3,
        "node_irreps": "4x0e + 4x0o + 4x1o + 4x1e + 2x2e + 2x2o",
        "l_max": 2,
        "radial_net_n_hidden": 8,
    },
    "one_layer": {"num_layers": 1, "node_irreps": "4x0e + 3x1o", "l_max": 1},
    "natural_parities": {"node_irreps": "4x0e + 3x1o + 2x2e + 2x3o", "l_max": 3},
    "pseudoscalars": {
        "num_layers": 6,
        "node_irreps": "3x0e + 2x0o + 2x1o + 2x1e",
        "l_max": 1,
        "radial_net_n_hidden": 8,
        "scalar_mlp_std": 0.5,
    },
    "unequal": {
        "num_layers": 4,
        "node_irreps": "4x0e + 3x0o + 5x1o + 2x1e + 6x2e + 7x2o",
        "l_max": 2,
        "radial_net_n_hidden": 10,
    },
    "unordered": {
        "num_layers": 4,
        "node_irreps": "2x2e + 3x1e + 5x1o + 4x0e",
        "l_max": 2,
        "radial_net_n_hidden": 8,
    },
    "repeated": {
        "num_layers": 5,
        "node_irreps": "2x0e + 1x0o + 3x0e + 1x1e + 2x1o + 1x1e",
        "l_max": 1,
        "radial_net_n_hidden": 8,
    },
    "scalars": {"num_layers": 3, "node_irreps": "8x0e", "l_max": 2, "radial_net_n_hidden": 8},
    "higher_harmonics": {
        "num_layers": 4,
        "node_irreps": "4x0e + 3x1o + 2x1e + 2x2e",
        "l_max": 3,
        "radial_net_n_hidden": 8,
    },
    "lower_harmonics": {"num_layers": 3, "node_irreps": "4x0e + 3x1o + 2x2e + 2x3o", "l_max": 1},
    "out_of_reach": {"node_irreps": "4x0e + 2x0o + 3x1e + 2x2o", "l_max": 0},
    "soft_envelope_tanh": {
        "node_irreps": "4x0e + 3x1o",
        "l_max": 1,
        "num_bessel": 6,
        "radial_envelope": "soft_envelope",
        "radial_net_nonlinearity": "tanh",
    },
    "shallow_sigmoid": {
        "node_irreps": "4x0e + 3x1o",
        "l_max": 1,
        "radial_net_n_layers": 1,
        "radial_net_nonlinearity": "sigmoid",
        "scalar_mlp_std": 1.5,
    },
    "deep_elu": {
        "node_irreps": "4x0e + 3x1o",
        "l_max": 1,
        "radial_net_n_hidden": 8,
        "radial_net_n_layers": 3,
        "radial_net_nonlinearity": "elu",
        "atomic_energies": "average",
    },
    "zero_atomic_energies": {
        "node_irreps": "4x0e + 3x1o",
        "l_max": 1,
        "radial_net_n_hidden": 8,
        "atomic_energies": "zero",
        "avg_num_neighbors": 3.0,
    },
}
VISNET_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {"num_channels": 8},
    "l_max_1": {"num_channels": 8, "num_layers": 2, "num_heads": 2, "l_max": 1},
    "one_layer": {"num_channels": 6, "num_layers": 1, "num_heads": 3, "num_rbf": 7},
    "three_layers_one_head": {"num_channels": 5, "num_layers": 3, "num_heads": 1},
    "rms": {"num_channels": 8, "num_layers": 3, "num_heads": 4, "vecnorm_type": "rms"},
    "rms_l_max_1": {
        "num_channels": 6,
        "num_layers": 3,
        "num_heads": 2,
        "l_max": 1,
        "vecnorm_type": "rms",
    },
    "max_min": {"num_channels": 6, "num_layers": 3, "num_heads": 2, "vecnorm_type": "max_min"},
    "max_min_l_max_1": {
        "num_channels": 8,
        "num_layers": 2,
        "num_heads": 4,
        "l_max": 1,
        "vecnorm_type": "max_min",
        "trainable_rbf": True,
    },
    "trainable_rbf": {"num_channels": 6, "num_layers": 2, "num_heads": 6, "trainable_rbf": True},
    "tanh_elu": {
        "num_channels": 6,
        "num_layers": 2,
        "num_heads": 2,
        "num_rbf": 5,
        "activation": "tanh",
        "attn_activation": "elu",
    },
    "sigmoid_relu": {
        "num_channels": 6,
        "num_layers": 2,
        "num_heads": 2,
        "num_rbf": 1,
        "activation": "sigmoid",
        "attn_activation": "relu",
    },
    "none_swish": {
        "num_channels": 6,
        "num_layers": 2,
        "num_heads": 2,
        "activation": "none",
        "attn_activation": "swish",
    },
    "silu_sigmoid": {
        "num_channels": 6,
        "num_layers": 2,
        "num_heads": 2,
        "attn_activation": "sigmoid",
    },
    "zero_atomic_energies": {
        "num_channels": 4,
        "num_layers": 2,
        "num_heads": 2,
        "atomic_energies": "zero",
    },
    "more_species": {"num_channels": 4, "num_layers": 2, "num_heads": 2, "num_species": 5},
}
OPTIONS = {"mace": MACE_OPTIONS, "nequip": NEQUIP_OPTIONS, "visnet": VISNET_OPTIONS}
# Standard deviation of the parameters: where a network does not normalise by the number of inputs,
# features grow with each layer.
PARAMETER_SCALE = {"mace": 1.0, "nequip": 1.0, "visnet": 0.4}
# What every run of the tests compares; the rest are slow tests.
QUICK: dict[str, set[str]] = {
    "mace": {"l_max_2", "everything", "given_scales"},
    "nequip": {"pseudoscalars", "natural_parities", "repeated"},
    "visnet": {"l_max_1", "rms", "trainable_rbf"},
}
# Relative tolerance where the other library rounds to float32, whatever the model's dtype.
COARSE: dict[str, dict[str, float]] = {
    "mace": {"given_scales": 1e-6},  # the norm of the radial basis
    "nequip": {},
    "visnet": {},
}


def structures() -> dict[str, dict[str, Any]]:
    """A molecule and a triclinic cell so small that every atom sees its own image."""
    rng = np.random.default_rng(7)
    molecule = {
        "atomic_numbers": np.array([6, 6, 8, 1, 1, 1, 1, 1, 1]),
        "positions": np.array(
            [
                [1.168, -0.382, 0.000],
                [0.000, 0.560, 0.000],
                [-1.190, -0.210, 0.000],
                [-1.946, 0.381, 0.000],
                [0.044, 1.209, 0.885],
                [0.044, 1.209, -0.885],
                [2.104, 0.183, 0.000],
                [1.139, -1.022, 0.884],
                [1.139, -1.022, -0.884],
            ]
        ),
    }
    molecule["positions"] = molecule["positions"] + 0.05 * rng.normal(size=(9, 3))
    crystal = {
        "atomic_numbers": np.array([8, 6, 1]),
        "positions": np.array([[0.0, 0.0, 0.0], [1.2, 0.9, 0.4], [0.3, 1.9, 1.7]]),
        "cell": np.array([[2.7, 0.1, 0.0], [0.6, 2.9, 0.2], [-0.4, 0.5, 3.1]]),
        "pbc": (True, True, True),
    }
    return {"molecule": molecule, "crystal": crystal}


def filled_like(shapes: dict[str, tuple[int, ...]], scale: float) -> dict[str, np.ndarray]:
    """Parameters that depend on their names and shapes alone, so that files need not hold them."""
    return {
        name: scale * np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
        for name, shape in shapes.items()
    }
