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


def filled_like(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Parameters that depend on their names and shapes alone, so that files need not hold them."""
    return {
        name: np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
        for name, shape in shapes.items()
    }
