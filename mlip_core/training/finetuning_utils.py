"""Training some blocks of a network while the others stay as they are."""

from collections.abc import Sequence
from typing import Any

import jax
import optax

from mlip_core.utils.errors import UserError


def mask_optimizer_for_finetuning(
    optimizer: optax.GradientTransformation, params: Any, finetuning_blocks: Sequence[str]
) -> optax.GradientTransformation:
    """The optimizer for the parameters of some blocks only; all others do not change.

    Args:
        optimizer: any Optax optimizer.
        params: the parameters of the network, for their names.
        finetuning_blocks: names of blocks, e.g. ``readout_heads_1``: what lies in a block of that
            name, at any depth, is trained.

    Raises:
        UserError: if a name is not that of a block.
    """
    paths = [_names(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    blocks = {name for path in paths for name in path}
    if unknown := [name for name in finetuning_blocks if name not in blocks]:
        raise UserError(
            f"finetuning_blocks: the network has no block {unknown[0]!r}; "
            f"there are: {', '.join(sorted(blocks))}"
        )
    labels = jax.tree_util.tree_map_with_path(
        lambda path, _: "trained" if set(_names(path)) & set(finetuning_blocks) else "frozen",
        params,
    )
    return optax.multi_transform({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)


def _names(path: tuple[Any, ...]) -> list[str]:
    return [str(getattr(key, "key", key)) for key in path]
