"""Force fields to and from model zips, the format of :mod:`mlip_core.models.model_zip`."""

import io
import json
import os
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import ValidationError

from mlip_core.models.force_field import ForceField
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.model_zip import (
    HYPERPARAMETERS,
    PARAMETERS,
    SEPARATOR,
    ModelZip,
    first_problem,
    open_model_zip,
)
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.models.registry import architecture_of, network_class
from mlip_core.utils.dict_flatten import flatten_dict, unflatten_dict
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def save_model_to_zip(save_path: str | os.PathLike[str], model: ForceField) -> None:
    """Write a force field to a zip; the same force field always gives the same bytes."""
    hyperparameters = {
        "dataset_info": model.dataset_info.model_dump(mode="json"),
        "config": model.config.model_dump(mode="json"),
        "predict_stress": model.predictor.predict_stress,
        "architecture": architecture_of(type(model.predictor.mlip_network)),
    }
    with atomic_path(save_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, HYPERPARAMETERS, json.dumps(hyperparameters).encode())
        _add(archive, PARAMETERS, _as_npz({"params": model.params["params"]}))


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
    with open_model_zip(load_path) as file:
        return _force_field(model_type, file)


def load_model(load_path: str | os.PathLike[str]) -> ForceField:
    """Read a force field of any architecture: of this library or of the ``mlip`` 0.1 series.

    Raises:
        UserError: if the file is not a model zip of a known architecture.
    """
    with open_model_zip(load_path) as file:
        return _force_field(network_class(file.architecture), file)


def _force_field(model_type: type[MLIPNetwork], file: ModelZip) -> ForceField:
    hyperparameters = file.hyperparameters
    try:
        network = model_type(
            config=model_type.Config(**hyperparameters.config),
            dataset_info=hyperparameters.dataset_info,
        )
        predictor = ForceFieldPredictor(network, hyperparameters.predict_stress)
        network.atomic_energies()
        expected = flatten_dict(ForceField.shapes_of(predictor), sep=SEPARATOR)
    except ValidationError as error:
        problem = first_problem(error)
    except (ValueError, UserError) as error:
        problem = str(error)
    else:
        return ForceField(predictor, _parameters(file, expected))
    raise UserError(
        f"{file.path}: not a {model_type.__name__} that this version can read: {problem}"
    )


def _parameters(file: ModelZip, expected: dict[str, Any]) -> dict[str, Any]:
    """The parameters as a tree, if names, shapes and values are those of the network."""
    unknown, missing = set(file.arrays) - set(expected), set(expected) - set(file.arrays)
    if unknown or missing:
        raise UserError(
            f"{file.path}: parameters do not fit the config: {len(missing)} missing "
            f"(e.g. {min(missing, default='none')!a}), {len(unknown)} unknown "
            f"(e.g. {min(unknown, default='none')[:80]!a})"
        )
    for name, leaf in expected.items():
        shape = file.arrays[name].shape
        if shape != leaf.shape and not _is_replicated(shape, leaf.shape):
            raise UserError(
                f"{file.path}: parameter {name} has shape {shape}, the config asks for {leaf.shape}"
            )
    return unflatten_dict(
        {name: _parameter(file, name, leaf.shape) for name, leaf in expected.items()},
        sep=SEPARATOR,
    )


def _is_replicated(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether there is a copy for each of several devices: ``mlip`` 0.1 trains in parallel so."""
    return shape[1:] == expected and shape[:1] > (0,)


def _parameter(file: ModelZip, name: str, shape: tuple[int, ...]) -> Any:
    stored = file.read(name)
    values = stored if stored.shape == shape else stored[0]
    with np.errstate(over="ignore"):
        values = values.astype(jax.dtypes.canonicalize_dtype(values.dtype))
    if not np.isfinite(values).all():
        raise UserError(f"{file.path}: parameter {name} holds numbers that are not finite")
    return jnp.asarray(values)


def _as_npz(params: dict[str, Any]) -> bytes:
    """The bytes of ``numpy.savez`` with sorted entries and without the time of writing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, leaf in sorted(flatten_dict(params, sep=SEPARATOR).items()):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(leaf), allow_pickle=False)
            _add(archive, f"{name}.npy", entry.getvalue())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)
