"""The model zip: hyperparameters as JSON and parameters as plain arrays, nothing that executes.

``hyperparams.json`` holds ``dataset_info``, ``config`` and ``predict_stress`` (and, written by this
library, ``architecture``); ``params.npz`` the parameters, their paths joined by ``#``. It is the
format of the ``mlip`` 0.1 series.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from pydantic import ValidationError

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.models.force_field import ForceField
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.models.registry import architecture_of, architectures, network_class
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

_HYPERPARAMETERS = "hyperparams.json"
_PARAMETERS = "params.npz"
_SEPARATOR = "#"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_LARGEST_BYTES = 4 << 30


def save_model_to_zip(save_path: str | os.PathLike[str], model: ForceField) -> None:
    """Write a force field to a zip; the same force field always gives the same bytes."""
    hyperparameters = {
        "dataset_info": model.dataset_info.model_dump(mode="json"),
        "config": model.config.model_dump(mode="json"),
        "predict_stress": model.predictor.predict_stress,
        "architecture": architecture_of(type(model.predictor.mlip_network)),
    }
    with atomic_path(save_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, _HYPERPARAMETERS, json.dumps(hyperparameters).encode())
        _add(archive, _PARAMETERS, _as_npz(model.params))


def load_model_from_zip(
    model_type: type[MLIPNetwork], load_path: str | os.PathLike[str]
) -> ForceField:
    """Read a force field whose architecture is known.

    Args:
        model_type: the network's class, e.g. ``Mace``.
        load_path: the zip.

    Raises:
        UserError: if the file is not a model zip, or not one of this architecture.
    """
    with _opened(Path(load_path)) as archive:
        hyperparameters = _hyperparameters(archive, Path(load_path))
        return _force_field(model_type, hyperparameters, archive, Path(load_path))


def load_model(load_path: str | os.PathLike[str]) -> ForceField:
    """Read a force field; its architecture stands in the zip, MACE if it does not.

    Raises:
        UserError: if the file is not a model zip of a known architecture.
    """
    path = Path(load_path)
    with _opened(path) as archive:
        hyperparameters = _hyperparameters(archive, path)
        name = hyperparameters.get("architecture") or "mace"
        if name not in architectures():
            raise UserError(f"{path}: architecture {name!r} is not one of {architectures()}")
        model_type = network_class(name)
        return _force_field(model_type, hyperparameters, archive, path)


def _force_field(
    model_type: type[MLIPNetwork],
    hyperparameters: dict[str, Any],
    archive: zipfile.ZipFile,
    path: Path,
) -> ForceField:
    try:
        network = model_type(
            config=model_type.Config(**hyperparameters["config"]),
            dataset_info=DatasetInfo(**hyperparameters["dataset_info"]),
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: not a {model_type.__name__} this version can read: {key}: {first['msg']}"
        ) from None
    predictor = ForceFieldPredictor(network, bool(hyperparameters.get("predict_stress", False)))
    return ForceField(predictor, _checked(_parameters(archive, path), predictor, path))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a model zip")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info.file_size for info in archive.infolist()}
            if set(members) != {_HYPERPARAMETERS, _PARAMETERS}:
                raise UserError(f"{path}: not a model zip: it holds {sorted(members)}")
            if sum(members.values()) > _LARGEST_BYTES:
                raise UserError(f"{path}: claims to unpack to more than 4 GiB; refused")
            yield archive
    except zipfile.BadZipFile as error:
        raise UserError(f"{path}: damaged or not a zip file ({error})") from None


def _hyperparameters(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(archive.read(_HYPERPARAMETERS))
    except ValueError as error:
        raise UserError(f"{path}: {_HYPERPARAMETERS} is not JSON ({error})") from None
    if not isinstance(value, dict) or not {"config", "dataset_info"} <= set(value):
        raise UserError(f"{path}: {_HYPERPARAMETERS} lacks 'config' or 'dataset_info'")
    return value


def _parameters(archive: zipfile.ZipFile, path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(archive.read(_PARAMETERS)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {_PARAMETERS} is damaged ({error})") from None


def _checked(
    arrays: dict[str, np.ndarray], predictor: ForceFieldPredictor, path: Path
) -> dict[str, Any]:
    """The parameters as a tree, if names, shapes and values are those of the network."""
    expected = flatten_dict(ForceField.shapes_of(predictor), sep=_SEPARATOR)
    unknown, missing = set(arrays) - set(expected), set(expected) - set(arrays)
    if unknown or missing:
        raise UserError(
            f"{path}: parameters do not fit the config: {len(missing)} missing "
            f"(e.g. {min(missing, default='none')}), {len(unknown)} unknown "
            f"(e.g. {min(unknown, default='none')})"
        )
    for name, array in arrays.items():
        if array.shape != expected[name].shape:
            raise UserError(
                f"{path}: parameter {name} has shape {array.shape}, "
                f"the config asks for {expected[name].shape}"
            )
        if not np.isfinite(array).all():
            raise UserError(f"{path}: parameter {name} holds numbers that are not finite")
    return unflatten_dict({name: jnp.asarray(arrays[name]) for name in expected}, sep=_SEPARATOR)


def _as_npz(params: dict[str, Any]) -> bytes:
    """The bytes of ``numpy.savez`` with sorted entries and without the time of writing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, leaf in sorted(flatten_dict(params, sep=_SEPARATOR).items()):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(leaf), allow_pickle=False)
            _add(archive, f"{name}.npy", entry.getvalue())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
