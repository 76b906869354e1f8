"""Inputs of the golden values of losses and optimizer, for both libraries."""

import numpy as np

N_NODE = [3, 5, 1, 7]
"""Atoms of each structure; the last one is padding."""

LOSSES = {
    "default": {},
    "stress": {"energy": 2.0, "forces": 3.0, "stress": 40.0},
    "energy_only": {"energy": 1.0, "forces": 0.0},
}
"""Weights of the loss, by case; what is not there has its default."""

OPTIMIZERS = {
    "schedule": {
        "init_learning_rate": 0.001,
        "peak_learning_rate": 0.02,
        "final_learning_rate": 0.004,
        "warmup_steps": 3,
        "transition_steps": 5,
    },
    "masked_decay": {"weight_decay": 0.3, "peak_learning_rate": 0.05, "warmup_steps": 2},
    "full_decay": {"weight_decay": 0.3, "apply_weight_decay_mask": False, "warmup_steps": 2},
    "clipped": {"grad_norm": 0.1, "weight_decay": 0.3},
    "accumulated": {
        "num_gradient_accumulation_steps": 3,
        "peak_learning_rate": 0.05,
        "warmup_steps": 4,
        "weight_decay": 0.1,
    },
}

N_STEPS = 10


def reference(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels of a batch; forces from 0.001 to 1000 eV/Å, to reach each part of the Huber loss."""
    n_atoms, n_graphs = sum(N_NODE), len(N_NODE)
    return {
        "energy": rng.normal(size=n_graphs),
        "forces": rng.normal(size=(n_atoms, 3)) * np.exp(rng.uniform(-7, 7, (n_atoms, 1))),
        "stress": rng.normal(size=(n_graphs, 3, 3)),
        "weight": np.array([1.0, 2.5, 0.5, 0.0]),
    }


def prediction(labels: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels plus errors far below and far above the 0.01 at which the Huber loss turns linear."""

    def with_errors(x: np.ndarray) -> np.ndarray:
        return x + rng.normal(size=x.shape) * np.exp(rng.uniform(-8, 1, x.shape))

    return {name: with_errors(labels[name]) for name in ("energy", "forces", "stress")}


def parameters(rng: np.random.Generator) -> dict:
    """A tree with names of MACE blocks."""
    layer = {
        "EquivariantProductBasisBlock_0": {
            "SymmetricContraction_0": {"w1_0e": rng.normal(size=3)},
            "Linear_0": {"w[0,0] 2x0e,2x0e": rng.normal(size=4)},
        },
        "InteractionBlock_0": {
            "linear_down": {"w[0,0] 2x0e,2x0e": rng.normal(size=(2, 2))},
            "linear_up": {"w[0,0] 2x0e,2x0e": rng.normal(size=(2, 2))},
        },
    }
    return {"params": {"mlip_network": {"MaceBlock_0": {"layer_0": layer}}}}


def gradients(rng: np.random.Generator, n_steps: int) -> list[float]:
    """Factors by which the gradient, a constant tree of ones, differs from step to step."""
    return [float(x) for x in rng.normal(size=n_steps) * np.linspace(2.0, 0.1, n_steps)]
