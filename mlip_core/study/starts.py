"""Runs that start from a trained model have its network: it is written out in their configs."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlip_core.models.model_zip import open_model_zip
from mlip_core.models.registry import architectures, config_class
from mlip_core.study.expansion import Tree, merge
from mlip_core.study.model_config import DEFAULT_ARCHITECTURE
from mlip_core.study.problems import nearest
from mlip_core.utils.errors import UserError

_MAY_DIFFER = {"atomic_energies", "num_readout_heads", "remat"}
"""Hyperparameters that leave the parameters of the model as they are, or add to them."""


def inherit_models(study: Mapping[str, Any]) -> Mapping[str, Any]:
    """The study with the network of every run that has ``init_from`` taken from there.

    Raises:
        UserError: if runs start from each other in a circle, a start is neither a run nor a file,
            or a run asks for another network than that of its start.
    """
    runs = study.get("runs")
    if not isinstance(runs, Mapping):
        return study
    inherited = dict(runs)
    for name in _starts_first(runs):
        if (start := _start_of(runs[name])) is not None:
            inherited[name] = _inherit(name, runs[name], start, inherited)
    return {**study, "runs": inherited}


def _starts_first(runs: Mapping[str, Any]) -> Iterable[str]:
    """The names of all runs, each after that which it starts from."""
    starts = {
        name: [start] if (start := _start_of(run)) is not None and start in runs else []
        for name, run in runs.items()
    }
    try:
        return list(TopologicalSorter(starts).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise UserError(
            f"runs: init_from goes in a circle: {circle}; let one of them start from a file, or"
            " from nothing"
        ) from None


def _start_of(run: Any) -> str | None:
    start = run.get("init_from") if isinstance(run, Mapping) else None
    return start if isinstance(start, str) else None


def _inherit(name: str, run: Tree, start: str, runs: Mapping[str, Any]) -> Tree:
    given = run.get("model", {})
    network = _network_of(start, runs, f"runs.{name}.init_from")
    if not (isinstance(given, Mapping) and isinstance(network, Mapping)):
        return run
    given = {"architecture": network["architecture"], **given}
    if given["architecture"] != network["architecture"]:
        raise _conflict(name, start, "architecture", given, network)
    merged = merge(network, given)
    try:
        wanted, there = _resolved(merged), _resolved(network)
    except (ValidationError, KeyError):  # said when the study as a whole is validated
        return {**run, "model": merged}
    for key in wanted:
        if key not in _MAY_DIFFER and wanted[key] != there[key]:
            raise _conflict(name, start, key, wanted, there)
    if wanted.get("num_readout_heads", 1) < there.get("num_readout_heads", 1):
        raise _conflict(name, start, "num_readout_heads", wanted, there)
    return {**run, "model": merged}


def _network_of(start: str, runs: Mapping[str, Any], key: str) -> Any:
    """The table ``model`` of a run or a zip, without atomic energies: these go with the data.

    ``None`` if the run has something else there, which is said when the study is validated.
    """
    if start in runs:
        model = runs[start].get("model", {}) if isinstance(runs[start], Mapping) else None
        if not isinstance(model, Mapping):
            return None
        network = {"architecture": DEFAULT_ARCHITECTURE, **model}
    elif Path(start).is_file():
        with open_model_zip(start) as archive:
            network = {"architecture": archive.architecture, **archive.hyperparameters.config}
    else:
        raise UserError(
            f"{key}: {start!r} is neither a run{nearest(start, runs)} nor a file; paths are"
            f" relative to {Path.cwd()}"
        )
    return {name: value for name, value in network.items() if name != "atomic_energies"}


def _resolved(network: Mapping[str, Any]) -> Tree:
    hyperparameters = {key: value for key, value in network.items() if key != "architecture"}
    if network["architecture"] not in architectures():
        raise KeyError(network["architecture"])
    return config_class(network["architecture"])(**hyperparameters).model_dump(mode="json")


def _conflict(
    name: str, start: str, key: str, wanted: Mapping[str, Any], there: Mapping[str, Any]
) -> UserError:
    return UserError(
        f"runs.{name}.model.{key}: {wanted[key]!r}, but {start}, which the run starts from, has"
        f" {there[key]!r}; leave the key out"
    )
