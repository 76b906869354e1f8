"""Golden values of losses and optimizer from ``mlip==0.1.10``.

For ``tests/models/test_loss.py`` and ``tests/training/test_optimizer.py``. Run in an environment of
its own (``pip install "mlip==0.1.10" "jax<0.7"``) from this directory: ``python make_training.py``.
It writes ``training.json``.
"""

import json
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import jraph  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from mlip.models.loss import HuberLoss, MSELoss  # noqa: E402
from mlip.training import OptimizerConfig, get_default_mlip_optimizer  # noqa: E402
from mlip.typing import GraphEdges, GraphGlobals, GraphNodes, Prediction  # noqa: E402
from training_inputs import (  # noqa: E402
    LOSSES,
    N_NODE,
    N_STEPS,
    OPTIMIZERS,
    gradients,
    parameters,
    prediction,
    reference,
)


def batch(labels):
    n_atoms, n_graphs = sum(N_NODE), len(N_NODE)
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=np.zeros((n_atoms, 3)),
            species=np.zeros(n_atoms, int),
            forces=labels["forces"],
        ),
        edges=GraphEdges(shifts=np.zeros((0, 3)), displ_fun=None),
        senders=np.zeros(0, int),
        receivers=np.zeros(0, int),
        globals=GraphGlobals(
            cell=np.zeros((n_graphs, 3, 3)),
            energy=labels["energy"],
            stress=labels["stress"],
            weight=labels["weight"],
        ),
        n_node=np.array(N_NODE),
        n_edge=np.zeros(n_graphs, int),
    )


def losses():
    rng = np.random.default_rng(7)
    labels = reference(rng)
    graph, predicted = batch(labels), Prediction(**prediction(labels, rng))
    results = {}
    for name, weights in LOSSES.items():
        schedules = {f"{k}_weight_schedule": lambda _, w=w: w for k, w in weights.items()}
        for kind in (MSELoss, HuberLoss):
            loss, metrics = kind(**schedules, extended_metrics=True)(predicted, graph, 1, True)
            numbers = {key: float(value) for key, value in metrics.items()}
            results[f"{kind.__name__}/{name}"] = numbers | {"loss": float(loss)}
    return results


def trajectories():
    results = {}
    for name, options in OPTIMIZERS.items():
        rng = np.random.default_rng(11)
        params = jax.tree.map(jnp.asarray, parameters(rng))
        optimizer = get_default_mlip_optimizer(OptimizerConfig(**options))
        state = optimizer.init(params)
        for factor in gradients(rng, N_STEPS):
            gradient = jax.tree.map(lambda x, f=factor: f * jnp.ones_like(x), params)
            updates, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
        results[name] = jax.tree.map(lambda x: np.asarray(x).tolist(), params)
    return results


Path("training.json").write_text(
    json.dumps({"losses": losses(), "trajectories": trajectories()}, indent=1) + "\n"
)
