"""``mlip-core predict``."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_core.cli.console import print_json, print_table
from mlip_core.cli.models import load_force_field
from mlip_core.cli.options import (
    XYZ_SUFFIXES,
    Force,
    Json,
    Labels,
    Model,
    Output,
    Structures,
    Threads,
    check_output,
    label_keys,
)
from mlip_core.cli.structures import iterate_structures
from mlip_core.utils.progress_bar import progress_bar

if TYPE_CHECKING:
    import numpy as np

    from mlip_core.evaluation import EvaluatedStructure


def predict(
    model: Model,
    structures: Structures,
    output: Output,
    batch_size: Annotated[int, typer.Option(min=1, help="Structures predicted at once.")] = 32,
    label: Labels = None,
    threads: Threads = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Predict energy, forces and stress.

    Writes extended XYZ with the keys MLIP_energy, MLIP_forces and MLIP_stress (eV, eV/Å, eV/Å³,
    positive under tension). If the structures have labels, these stand beside them with REF_, and
    the errors are printed. Memory does not grow with the number of structures.

    Examples:
      mlip-core predict model.zip trajectory.traj -o predicted.xyz
      mlip-core predict model.zip a.xyz b.h5 -o all.xyz --batch-size 128
      mlip-core predict model.zip test.xyz -o out.xyz --label energy_key=REF_energy --json
    """
    check_output(output, XYZ_SUFFIXES, structures, force)
    labels = label_keys(label, may_be_missing=True)
    force_field = load_force_field(model, threads)
    from mlip_core.evaluation import predict_structures
    from mlip_core.evaluation.predictions_file import predictions_writer

    errors = {"energy": Errors("eV/atom"), "forces": Errors("eV/Å"), "stress": Errors("eV/Å³")}
    n_structures = n_atoms = 0
    other_keys: list[str] = []
    with (
        predictions_writer(output) as write,
        progress_bar("structures", None) as move_bar,
    ):
        frames = iterate_structures(structures, labels)
        for structure in predict_structures(force_field, frames, batch_size):
            write(structure)
            n_structures, n_atoms = n_structures + 1, n_atoms + structure.n_atoms
            _add_errors(errors, structure)
            other_keys = other_keys or _other_energies(structure)
            move_bar(advance=1)
    known = {name: error.summary() for name, error in errors.items() if error.count}
    if not known and other_keys:
        typer.echo(
            f"no labels under {labels.energy_key!r}, so no errors; there is "
            f"{', '.join(other_keys)}: name the right one with --label energy_key={other_keys[0]}",
            err=True,
        )
    if json:
        print_json({"structures": n_structures, "atoms": n_atoms, "errors": known})
        return
    typer.echo(f"{n_structures} structures, {n_atoms} atoms -> {output}")
    if known:
        print_table(
            ["", "MAE", "RMSE", "largest", "unit"],
            [
                [name, f"{e['mae']:.4g}", f"{e['rmse']:.4g}", f"{e['max']:.4g}", e["unit"]]
                for name, e in known.items()
            ],
        )


@dataclass
class Errors:
    """Sums of the errors of one quantity, over all entries of all structures."""

    unit: str
    count: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    largest: float = 0.0

    def add(self, difference: "np.ndarray | float") -> None:
        """Take the entries of one structure into account."""
        import numpy as np

        sizes = np.abs(np.ravel(difference))
        self.count += sizes.size
        self.absolute += float(sizes.sum())
        self.squared += float(sizes @ sizes)
        self.largest = max(self.largest, float(sizes.max()))

    def summary(self) -> dict[str, Any]:
        """MAE, RMSE and the largest error."""
        return {
            "mae": self.absolute / self.count,
            "rmse": math.sqrt(self.squared / self.count),
            "max": self.largest,
            "unit": self.unit,
        }


def _other_energies(structure: "EvaluatedStructure") -> list[str]:
    """Keys that may be those of its energy, if it has none under the key that was asked for."""
    if structure.reference.interaction_energy is not None:
        return []
    return [key for key in structure.atoms.info if "energy" in key.lower()]


def _add_errors(errors: dict[str, Errors], structure: "EvaluatedStructure") -> None:
    reference, predicted = structure.reference, structure.predicted
    if reference.interaction_energy is not None and predicted.interaction_energy is not None:
        difference = predicted.interaction_energy - reference.interaction_energy
        errors["energy"].add(difference / structure.n_atoms)
    if reference.forces is not None and predicted.forces is not None:
        errors["forces"].add(predicted.forces - reference.forces)
    if reference.stress is not None and predicted.stress is not None:
        errors["stress"].add(predicted.stress - reference.stress)
