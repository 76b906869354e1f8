"""A network, data and training so small that a whole training takes seconds."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
import numpy as np
from pydantic import BaseModel

from mlip_core.data import ChemicalSystem, DatasetInfo
from mlip_core.data.helpers import GraphDataset, create_graph_from_chemical_system
from mlip_core.models import ForceField
from mlip_core.models.loss import Loss, MSELoss
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.training import (
    OptimizerConfig,
    TrainingIOHandler,
    TrainingLoop,
    get_default_mlip_optimizer,
)

CUTOFF = 3.0
INFO = DatasetInfo(atomic_energies_map={1: -1.0, 8: -2.0}, cutoff_distance_angstrom=CUTOFF)


class PairNetworkConfig(BaseModel):
    features: int = 4


class PairNetwork(MLIPNetwork):
    """Energy of an atom: a sum over its neighbours of a smooth function of distance and species."""

    config: PairNetworkConfig
    dataset_info: DatasetInfo
    Config = PairNetworkConfig

    @nn.compact
    def __call__(
        self,
        edge_vectors: Any,
        node_species: Any,
        senders: Any,
        receivers: Any,
        blocks: Any = None,
    ) -> Any:
        squared = jnp.sum(edge_vectors**2, axis=-1)
        is_edge = (squared > 0) & (squared < CUTOFF**2)
        squared = jnp.where(is_edge, squared, 1.0)
        basis = jnp.exp(-squared[:, None] * jnp.arange(1, 4) / 3)
        kind = nn.Embed(2, 3)(node_species[senders])
        hidden = jnp.tanh(nn.Dense(self.config.features)(basis * kind))
        pair = nn.Dense(1, use_bias=False)(hidden)[:, 0] * (1 - squared / CUTOFF**2) ** 2
        pair = jnp.where(is_edge, pair, 0.0)
        return jax.ops.segment_sum(pair, receivers, node_species.shape[0])

    def atomic_energies(self) -> tuple[float, ...]:
        return tuple(self.dataset_info.atomic_energies_map.values())


def make_system(
    n_atoms: int, rng: np.random.Generator, with_stress: bool = False
) -> ChemicalSystem:
    species = rng.integers(0, 2, n_atoms)
    return ChemicalSystem(
        atomic_numbers=np.array([1, 8])[species],
        atomic_species=species,
        positions=rng.normal(size=(n_atoms, 3)) * 1.2,
        energy=float(rng.normal() - 1.0 * n_atoms),
        forces=rng.normal(size=(n_atoms, 3)),
        **({"stress": rng.normal(size=(3, 3)), "cell": 20 * np.eye(3)} if with_stress else {}),
    )


def make_graphs(
    count: int, seed: int = 0, with_stress: bool = False, n_atoms: int | None = None
) -> list[jraph.GraphsTuple]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 7, count) if n_atoms is None else np.full(count, n_atoms)
    systems = [make_system(int(size), rng, with_stress) for size in sizes]
    return [create_graph_from_chemical_system(system, CUTOFF) for system in systems]


def make_dataset(
    count: int = 14,
    batch_size: int = 3,
    seed: int = 0,
    shuffle: bool = True,
    with_stress: bool = False,
    n_atoms: int | None = None,
    **options: Any,
) -> GraphDataset:
    return GraphDataset(
        make_graphs(count, seed, with_stress, n_atoms),
        batch_size,
        should_shuffle=shuffle,
        seed=seed,
        atomic_energies=INFO.atomic_energies,
        **options,
    )


def make_force_field(seed: int = 0, predict_stress: bool = False) -> ForceField:
    network = PairNetwork(PairNetworkConfig(), INFO)
    return ForceField.from_mlip_network(network, predict_stress=predict_stress, seed=seed)


def make_loop(
    directory: Path | None = None,
    num_epochs: int = 3,
    accumulate: int = 1,
    loss: Loss | None = None,
    learning_rate: float = 0.01,
    io_options: dict[str, Any] | None = None,
    loop_options: dict[str, Any] | None = None,
    **arguments: Any,
) -> TrainingLoop:
    """A training that writes into ``directory``, resuming what is there."""
    options: dict[str, Any] = {}
    if directory is not None:
        options = {
            "local_model_output_dir": directory / "checkpoints",
            "metrics_csv": directory / "metrics.csv",
            "timing_csv": directory / "timing.csv",
            "resume": True,
        }
    io_config = TrainingIOHandler.Config(**(options | (io_options or {})))
    optimizer_config = OptimizerConfig(
        peak_learning_rate=learning_rate,
        warmup_steps=4,
        transition_steps=20,
        num_gradient_accumulation_steps=accumulate,
    )
    arguments = {
        "train_dataset": make_dataset(),
        "validation_dataset": make_dataset(5, 2, seed=1, shuffle=False),
        "force_field": make_force_field(),
        "loss": loss or MSELoss(),
        "optimizer": get_default_mlip_optimizer(optimizer_config),
        "config": TrainingLoop.Config(
            num_epochs=num_epochs,
            num_gradient_accumulation_steps=accumulate,
            **(loop_options or {}),
        ),
        "io_handler": TrainingIOHandler(io_config),
    } | arguments
    return TrainingLoop(**arguments)
