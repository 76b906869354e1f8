"""Starting a model from the parameters of another one: more readout heads, fewer elements."""

import re
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from mlip_core.models.force_field import ForceField, Parameters
from mlip_core.models.mlip_network import count_species
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.utils.errors import UserError

_NUMBER_OF_SPECIES = re.compile(r"\d+x0e")
_NORMALISED_BY_SPECIES = ("w[", "embeddings")
"""How the names of weights begin that a network divides by the root of its number of species."""


class ParameterTransferImpossibleError(UserError):
    """The destination lacks a parameter of the source, or has it in another shape."""


def transfer_params(
    params_source: Parameters, params_destination: Parameters, scale_factor: float = 1.0
) -> tuple[Parameters, list[str]]:
    """Parameters of a trained model in the place of those that a larger one begins with.

    Stricter than the function of the ``mlip`` 0.1 series, which leaves out what the destination
    lacks and takes over other shapes.

    Args:
        params_source: of the trained model.
        params_destination: of the new model, which may have more blocks, such as readout heads.
        scale_factor: factor on the parameters that are new; less than 1 begins nearer to the
            trained model.

    Returns:
        The parameters of the new model, and the names of its new blocks: each the outermost name
        that the source lacks, once. They are what ``mask_optimizer_for_finetuning`` takes.

    Raises:
        ParameterTransferImpossibleError: if the new model lacks a parameter of the trained one or
            has it in another shape.
    """
    source, destination = flatten_dict(params_source), flatten_dict(params_destination)
    for path, leaf in source.items():
        _require_same_shape(path, leaf, destination.get(path))
    blocks = {path[:depth] for path in source for depth in range(1, len(path) + 1)}
    new = [path for path in destination if path not in source]
    names = [next(path[n] for n in range(len(path)) if path[: n + 1] not in blocks) for path in new]
    merged = {
        path: source[path] if path in source else scale_factor * leaf
        for path, leaf in destination.items()
    }
    return unflatten_dict(merged), list(dict.fromkeys(names))


def select_elements(force_field: ForceField, elements: Collection[int]) -> ForceField:
    """The same function of structures of fewer elements, by a smaller model.

    Args:
        force_field: a model of one of the registered architectures.
        elements: atomic numbers, all of which it knows.

    Returns:
        A model that knows these elements only: rows of tables by species are picked by element, and
        weights that a network divides by the root of its number of species are scaled to match.
    """
    network = force_field.predictor.mlip_network
    info = force_field.dataset_info
    kept = sorted(set(elements))
    n_old = count_species(info, network.config.num_species)
    if n_old == len(kept):
        return force_field
    predictor = ForceFieldPredictor(
        type(network)(
            config=network.config.model_copy(update={"num_species": None}),
            dataset_info=info.model_copy(
                update={"atomic_energies_map": {z: info.atomic_energies_map[z] for z in kept}}
            ),
        ),
        force_field.predictor.predict_stress,
    )
    rows = np.array([info.z_table.z_to_index(z) for z in kept])
    scale = (len(kept) / n_old) ** 0.5
    old = jax.tree_util.tree_leaves_with_path(force_field.params)
    new, structure = jax.tree_util.tree_flatten_with_path(ForceField.shapes_of(predictor))
    leaves = []
    for (old_path, leaf), (path, wanted) in zip(old, new, strict=True):
        assert _without_species(old_path) == _without_species(path)
        leaves.append(_rows_of_species(path, leaf, wanted.shape, rows, scale))
    return ForceField(predictor, jax.tree_util.tree_unflatten(structure, leaves))


def _rows_of_species(
    path: tuple[Any, ...], leaf: jax.Array, shape: tuple[int, ...], rows: np.ndarray, scale: float
) -> jax.Array:
    """The part of a parameter that belongs to some species, if it has an axis of species."""
    if leaf.shape == shape:
        return leaf
    (axis,) = (i for i, size in enumerate(shape) if size != leaf.shape[i])
    picked = jnp.take(leaf, rows, axis=axis)
    return picked * scale if path[-1].key.startswith(_NORMALISED_BY_SPECIES) else picked


def _without_species(path: tuple[Any, ...]) -> str:
    return _NUMBER_OF_SPECIES.sub("x0e", jax.tree_util.keystr(path))


def _require_same_shape(path: tuple[str, ...], leaf: Any, wanted: Any) -> None:
    if wanted is None:
        raise ParameterTransferImpossibleError(
            f"parameter {'/'.join(path)}: the new model has none of this name; use the trained"
            " model's config, with more readout heads if they are wanted"
        )
    if np.shape(leaf) != np.shape(wanted):
        raise ParameterTransferImpossibleError(
            f"parameter {'/'.join(path)}: has shape {np.shape(leaf)} in the trained model and"
            f" {np.shape(wanted)} in the new one; use the trained model's config"
        )
