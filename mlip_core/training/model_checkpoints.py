"""Checkpoints of the best models, by epoch."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mlip_core.models.params_loading import (
    EMA_ITEM,
    PARAMS_ITEM,
    load_parameters_from_checkpoint,
)
from mlip_core.training.orbax_files import DAMAGE, finished, restore_items, save_items
from mlip_core.training.packing import digest, first_difference, layout_of, pack, unpack
from mlip_core.training.training_state import TrainingState
from mlip_core.utils.errors import UserError


class CheckpointRestorationError(UserError):
    """A checkpoint that was asked for is not there or does not fit."""


@dataclasses.dataclass(frozen=True)
class RestoredModel:
    """A training state from a checkpoint.

    Attributes:
        state: parameters, moving average and counters are restored; the optimizer's state if asked.
        epoch: the epoch at whose end it was saved.
        best_loss: its validation loss, if known.
    """

    state: TrainingState
    epoch: int
    best_loss: float | None


class ModelCheckpoints:
    """A directory with a subdirectory for each of the latest epochs that had the best model.

    Parameters are Orbax trees that can be read leaf by leaf; everything else is packed (see
    ``packing``), since writing hundreds of small arrays takes long.
    """

    def __init__(self, directory: Path, max_to_keep: int) -> None:
        """Set the directory; it need not exist."""
        self.directory = directory
        self._max_to_keep = max_to_keep

    def epochs(self) -> list[int]:
        """Epochs of the checkpoints, in order."""
        return finished(self.directory)

    def save(
        self, epoch: int, state: TrainingState, ema_params: Any | None, best_loss: float | None
    ) -> None:
        """Write one, unless the same is there already, and remove the oldest before it.

        A training that was killed and goes on makes its last best models again: they stay as they
        are.
        """
        optimizer, optimizer_layout = pack(state.optimizer_state)
        progress, progress_layout = pack(_progress(state))
        record = {
            "best_loss": best_loss,
            "optimizer_state": optimizer_layout,
            "progress": progress_layout,
            "digest": digest(pack((state, ema_params))[0]),
        }
        path = self.directory / str(epoch)
        if self._digest(epoch) == record["digest"]:
            return
        params = _as_numpy(state.params)
        state_item = {"params": params, "optimizer_state": optimizer, "progress": progress}
        trees = {PARAMS_ITEM: state_item}
        if ema_params is not None:
            trees[EMA_ITEM] = _as_numpy(ema_params)
        save_items(path, trees, record)
        earlier = [e for e in self.epochs() if e <= epoch]
        for old in earlier[: -self._max_to_keep]:
            shutil.rmtree(self.directory / str(old))

    def remove_after(self, epoch: int) -> None:
        """Remove those of later epochs."""
        for later in self.epochs():
            if later > epoch:
                shutil.rmtree(self.directory / str(later))

    def restore(
        self, template: TrainingState, epoch: int | None, with_optimizer_state: bool
    ) -> RestoredModel | None:
        """The checkpoint of an epoch, or the latest; ``None`` if there are no checkpoints at all.

        Raises:
            CheckpointRestorationError: if this epoch is not there, or the optimizer is another one.
            UserError: if the model is another one.
        """
        epochs = self.epochs()
        if not epochs:
            return None
        if epoch is not None and epoch not in epochs:
            raise CheckpointRestorationError(
                f"{self.directory}: no checkpoint of epoch {epoch}; there are {epochs}"
            )
        epoch = epochs[-1] if epoch is None else epoch
        params = load_parameters_from_checkpoint(self.directory, template.params, epoch)
        tree, record = restore_items(self.directory / str(epoch), PARAMS_ITEM)
        progress = self._unpack(epoch, "progress", tree, record, _progress(template))
        state = dataclasses.replace(template, params=params, **progress)
        if with_optimizer_state:
            optimizer = self._unpack(
                epoch, "optimizer_state", tree, record, template.optimizer_state
            )
            state = dataclasses.replace(state, optimizer_state=optimizer)
        else:
            state = dataclasses.replace(state, acc_steps=template.acc_steps)
        return RestoredModel(state, epoch, record["best_loss"])

    def _digest(self, epoch: int) -> str | None:
        try:
            return restore_items(self.directory / str(epoch))[-1]["digest"]
        except DAMAGE:  # not there, or not whole: to be written
            return None

    def _unpack(
        self, epoch: int, name: str, tree: Any, record: dict[str, Any], template: Any
    ) -> Any:
        if difference := first_difference(record[name], layout_of(template)):
            raise CheckpointRestorationError(
                f"{self.directory / str(epoch)}: its {name} is of another optimizer or model "
                f"({difference}); set restore_optimizer_state to false"
            )
        return unpack(tree[name], template)


def _progress(state: TrainingState) -> dict[str, Any]:
    return {
        "ema_state": state.ema_state,
        "num_steps": state.num_steps,
        "acc_steps": state.acc_steps,
        "extras": state.extras,
    }


def _as_numpy(tree: Any) -> Any:
    return jax.tree.map(np.asarray, jax.device_get(tree))
