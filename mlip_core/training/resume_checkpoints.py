"""Checkpoints from which a training goes on exactly as if it had never stopped."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mlip_core.training.orbax_files import DAMAGE, finished, restore_items, save_items
from mlip_core.training.packing import Packed, digest, first_difference, layout_of, pack, unpack
from mlip_core.utils.errors import UserError

ARRAYS_ITEM = "arrays"
FORMAT = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """All that decides the rest of a training.

    Attributes:
        arrays: trees of arrays by name: the training state, and that of the best epoch.
        scalars: more arrays by name, the names being known to the checkpoint only: sums of metrics.
        record: a JSON value: position in the data, best loss, history.
        is_sound: whether it is worth keeping; may be a boolean that is still computed.
    """

    arrays: dict[str, Any]
    scalars: dict[str, Any]
    record: dict[str, Any]
    is_sound: bool | jax.Array = True


class ResumeCheckpoints:
    """A directory of such checkpoints, the newest few of them, named by their positions.

    All arrays are packed into a few (see ``packing``), so that writing them takes milliseconds.
    Each checkpoint gets its name when it is complete, and carries a digest of its content.
    """

    def __init__(self, directory: Path, max_to_keep: int = 2) -> None:
        """Set the directory; it need not exist."""
        self._directory = directory
        self._max_to_keep = max_to_keep

    def positions(self) -> list[int]:
        """Positions of the checkpoints, in order."""
        return finished(self._directory)

    def save(self, position: int, point: ResumePoint) -> None:
        """Write one checkpoint and remove the oldest; an older one of this position is replaced.

        Args:
            position: a number that grows as training goes on.
            point: the state to save; read here, so it may still be under computation. One that is
                not sound is left out.
        """
        if not bool(point.is_sound):
            return
        packed, layout = pack(_tree(point.arrays, point.scalars))
        record = {
            "format": FORMAT,
            "layout": layout,
            "arrays": sorted(point.arrays),
            "scalars": sorted(point.scalars),
            "record": point.record,
        }
        record["seal"] = _seal(packed, record)
        save_items(self._directory / str(position), {ARRAYS_ITEM: packed}, record)
        for old in self.positions()[: -self._max_to_keep]:
            shutil.rmtree(self._directory / str(old))

    def restore(
        self, template: dict[str, Any], is_usable: Callable[[dict[str, Any]], bool]
    ) -> ResumePoint | None:
        """The newest checkpoint that is whole and usable; ``None`` if there is none.

        A damaged one is skipped with a warning.

        Args:
            template: trees of arrays of the same names, types and shapes; the checkpoint may lack
                some of the trees.
            is_usable: tells from a checkpoint's ``record`` whether it is wanted.

        Raises:
            UserError: if the checkpoint is of a training of another model or optimizer, or of
                another version.
        """
        for position in reversed(self.positions()):
            path = self._directory / str(position)
            try:
                packed, record = _read(path)
            except DAMAGE as error:
                reason = str(error).partition("\n")[0]
                logger.warning("%s: damaged, using the one before: %s", path, reason)
                continue
            if record.get("format") != FORMAT:
                raise UserError(f"{path}: is of another version of this program; remove {path}")
            if not is_usable(record["record"]):
                continue
            stored = {name: template[name] for name in record["arrays"]}
            tree = _tree(stored, _scalars_template(record))
            if difference := first_difference(record["layout"], layout_of(tree)):
                raise UserError(
                    f"{path}: is of another model or optimizer ({difference}); "
                    f"train into another directory, or set clear_previous_checkpoints"
                )
            tree = unpack(packed, tree)
            return ResumePoint(tree["arrays"], tree["scalars"], record["record"])
        return None

    def remove_after(self, position: int) -> bool:
        """Remove those of later positions; whether there were any."""
        later = [other for other in self.positions() if other > position]
        for other in later:
            shutil.rmtree(self._directory / str(other))
        return bool(later)

    def clear(self) -> None:
        """Remove all."""
        shutil.rmtree(self._directory, ignore_errors=True)


def _read(path: Path) -> tuple[Packed, dict[str, Any]]:
    arrays, record = restore_items(path, ARRAYS_ITEM)
    packed = {dtype: np.asarray(array) for dtype, array in arrays.items()}
    seal = record.pop("seal")
    if seal != _seal(packed, record):
        raise ValueError("its content is not what was saved")
    return packed, record


def _tree(arrays: Any, scalars: dict[str, Any]) -> dict[str, Any]:
    return {"arrays": arrays, "scalars": scalars}


def _scalars_template(record: dict[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
    types = {name: dtype for name, dtype, _ in record["layout"]}
    return {
        name: jax.ShapeDtypeStruct((), types[f"['scalars']['{name}']"])
        for name in record["scalars"]
    }


def _seal(packed: Packed, record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True)
    return sha256((digest(packed) + text).encode()).hexdigest()
