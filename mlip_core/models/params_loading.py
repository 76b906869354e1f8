"""Loading model parameters out of a training's checkpoints."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mlip_core.utils.errors import UserError

PARAMS_ITEM = "training_state"
EMA_ITEM = "params_ema"


def load_parameters_from_checkpoint(
    local_checkpoint_dir: str | os.PathLike[str],
    initial_params: Any,
    epoch_to_load: int,
    load_ema_params: bool = False,
) -> Any:
    """Parameters of the model checkpoint of one epoch.

    Args:
        local_checkpoint_dir: directory whose subdirectories are named by epochs: the ``model``
            directory of a training's output directory.
        initial_params: parameters of the same model, as the template of names, shapes and types.
        epoch_to_load: number of the epoch.
        load_ema_params: whether to load the debiased moving average of the parameters, on which
            models are judged by default, instead of the parameters themselves.

    Raises:
        UserError: if there is no such checkpoint, or it is of another model.
    """
    epoch_dir = Path(local_checkpoint_dir).resolve() / str(epoch_to_load)
    item_dir = epoch_dir / (EMA_ITEM if load_ema_params else PARAMS_ITEM)
    if not item_dir.is_dir():
        raise UserError(f"{item_dir}: no such checkpoint; {_available(epoch_dir.parent)}")
    restored = _restore(item_dir)
    return _fit(initial_params, restored if load_ema_params else restored["params"], item_dir)


def _restore(item_dir: Path) -> Any:
    """The tree of an item as NumPy arrays, whatever devices it was saved from."""
    handler = ocp.PyTreeCheckpointHandler()
    as_numpy = jax.tree.map(
        lambda _: ocp.RestoreArgs(restore_type=np.ndarray), handler.metadata(item_dir).tree
    )
    try:
        return handler.restore(item_dir, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
    finally:
        handler.close()


def _fit(template: Any, restored: Any, source: Path) -> Any:
    """``restored`` in the structure and types of ``template``, where both have the same shapes."""
    wanted, structure = jax.tree_util.tree_flatten_with_path(template)
    found = {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(restored)}
    names = [jax.tree_util.keystr(path) for path, _ in wanted]
    for name, (_, leaf) in zip(names, wanted, strict=True):
        if name not in found or np.shape(found[name]) != np.shape(leaf):
            raise UserError(
                f"{source}: is of another model: parameter {name} of shape {np.shape(leaf)} is "
                f"missing or has another shape; use the config that the model was trained with"
            )
    leaves = [
        jax.numpy.asarray(found[name], np.asarray(leaf).dtype)
        for name, (_, leaf) in zip(names, wanted, strict=True)
    ]
    return jax.tree.unflatten(structure, leaves)


def _available(model_dir: Path) -> str:
    names = (path.name for path in model_dir.glob("*") if path.is_dir())
    epochs = sorted((name for name in names if name.isdigit()), key=int)
    return f"epochs there: {', '.join(epochs) or 'none'}"
