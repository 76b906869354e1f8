"""Going on from a trained model: some of its blocks only, and on other energies of free atoms."""

from collections.abc import Sequence
from typing import Any

import jax
import jraph
import numpy as np
import optax
from ase.data import chemical_symbols

from mlip_core.data.helpers import GraphDataset
from mlip_core.data.helpers.atomic_energies import fit_atomic_energies as fit_by_least_squares
from mlip_core.models.force_field import ForceField
from mlip_core.models.loss_helpers import label_masks
from mlip_core.utils.errors import UserError


def mask_optimizer_for_finetuning(
    optimizer: optax.GradientTransformation, params: Any, finetuning_blocks: Sequence[str]
) -> optax.GradientTransformation:
    """The optimizer for the parameters of some blocks only; all others do not change.

    Args:
        optimizer: any Optax optimizer.
        params: the parameters of the network, for their names.
        finetuning_blocks: names of blocks, e.g. ``NonLinearReadoutBlock_1``: what lies in a block
            of that name, at any depth, is trained. Names joined by ``/`` stand for a block within
            a block, where one name alone would mean several.

    Raises:
        UserError: if a name is not that of a block.
    """
    paths = [_joined(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for name in finetuning_blocks:
        if not any(_lies_in(path, name) for path in paths):
            blocks = sorted({part for path in paths for part in path.strip("/").split("/")[:-1]})
            raise UserError(
                f"finetuning_blocks: the network has no block {name!r}; "
                f"there are: {', '.join(blocks)}"
            )

    def label(path: tuple[Any, ...], _: Any) -> str:
        is_trained = any(_lies_in(_joined(path), name) for name in finetuning_blocks)
        return "trained" if is_trained else "frozen"

    labels = jax.tree_util.tree_map_with_path(label, params)
    return optax.multi_transform({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)


def fit_atomic_energies(force_field: ForceField, dataset: GraphDataset) -> dict[int, float]:
    """Atomic energies with which the energies of a force field fit a dataset best.

    The least-squares solution, in the smallest changes, for what the predicted energies are off.

    Args:
        force_field: a model whose atomic energies are those of its ``dataset_info``.
        dataset: batches whose interaction energies are relative to the same atomic energies.

    Returns:
        eV by atomic number; elements that the dataset lacks keep their energies.
    """
    energies = force_field.dataset_info.atomic_energies_map
    counts, errors = [np.zeros((0, len(energies)), np.int64)], [np.zeros(0)]
    for batch in dataset.epoch(0):
        graphs = np.asarray(label_masks(batch).energy)
        predicted = np.asarray(force_field(batch).interaction_energy, np.float64)
        errors.append((np.asarray(batch.globals.interaction_energy) - predicted)[graphs])
        counts.append(_count_species(batch, len(energies))[graphs])
    all_counts = np.concatenate(counts)
    present = np.flatnonzero(all_counts.any(axis=0))
    elements = np.array(list(energies))[present].tolist()
    shifts = fit_by_least_squares(
        all_counts[:, present], np.concatenate(errors), [chemical_symbols[z] for z in elements]
    )
    changes = dict(zip(elements, shifts.tolist(), strict=True))
    return {z: energy + changes.get(z, 0.0) for z, energy in energies.items()}


def _count_species(batch: jraph.GraphsTuple, n_species: int) -> np.ndarray:
    """``[n_graphs, n_species]``: atoms of each species in each structure."""
    counts = np.zeros((len(batch.n_node), n_species), np.int64)
    graph_of_node = np.repeat(np.arange(len(batch.n_node)), batch.n_node)
    np.add.at(counts, (graph_of_node, batch.nodes.species), 1)
    return counts


def _joined(path: tuple[Any, ...]) -> str:
    return "/" + "/".join(str(getattr(key, "key", key)) for key in path) + "/"


def _lies_in(path: str, block: str) -> bool:
    return f"/{block}/" in path
