"""``mlip-core info``."""

from typing import TYPE_CHECKING, Any

import typer

from mlip_core.cli.console import print_json, print_pairs
from mlip_core.cli.options import Json, Model

if TYPE_CHECKING:
    from mlip_core.models.model_zip import ModelZip


def info(model: Model, json: Json = False) -> None:
    """Show what is in a model zip.

    Network, elements, cutoff, parameters, statistics of the training data. Nothing of the model is
    run, so this is quick, and safe with a file from elsewhere.

    Examples:
      mlip-core info model.zip
      mlip-core info model.zip --json | jq .n_parameters
    """
    from mlip_core.models.model_zip import open_model_zip

    with open_model_zip(model) as file:
        about = _describe(file)
    if json:
        print_json(about)
        return
    nested = {name: about.pop(name) for name in ("hyperparameters", "dataset")}
    energies = nested["dataset"].pop("atomic_energies_ev")
    about["elements"] = " ".join(about["elements"])
    print_pairs(_in_words(about))
    for title, pairs in nested.items():
        typer.echo(f"{title}:")
        print_pairs(_in_words(pairs), indent="  ")
    typer.echo("atomic energies (eV):")
    print_pairs({name: f"{energy:.6f}" for name, energy in energies.items()}, indent="  ")


def _describe(file: "ModelZip") -> dict[str, Any]:
    from ase.data import chemical_symbols

    dataset_info = file.hyperparameters.dataset_info
    energies = {chemical_symbols[z]: e for z, e in dataset_info.atomic_energies_map.items()}
    return {
        "file": str(file.path),
        "bytes": file.path.stat().st_size,
        "architecture": file.architecture,
        "elements": list(energies),
        "cutoff_angstrom": dataset_info.cutoff_distance_angstrom,
        "n_parameters": sum(array.n_numbers for array in file.arrays.values()),
        "parameter_types": sorted({array.dtype.name for array in file.arrays.values()}),
        "predicts_stress": file.hyperparameters.predict_stress,
        "hyperparameters": file.hyperparameters.config,
        "dataset": {
            "avg_num_neighbors": dataset_info.avg_num_neighbors,
            "avg_r_min_angstrom": dataset_info.avg_r_min_angstrom,
            "scaling_mean": dataset_info.scaling_mean,
            "scaling_stdev": dataset_info.scaling_stdev,
            "atomic_energies_ev": energies,
        },
    }


def _in_words(pairs: dict[str, Any]) -> dict[str, object]:
    return {name: _word(value) for name, value in pairs.items()}


def _word(value: Any) -> object:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value
