"""``mlip-core benchmark``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlip_core.cli.console import print_json, print_table
from mlip_core.cli.models import load_force_field
from mlip_core.cli.options import Json, Model, Threads
from mlip_core.cli.structures import read_structure
from mlip_core.utils.errors import UserError

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_core.data import DatasetInfo


def benchmark(
    model: Model,
    sizes: Annotated[
        str, typer.Option(help="Least numbers of atoms, with commas between.")
    ] = "16,64,256",
    structure: Annotated[
        Path | None,
        typer.Option(
            help="What the systems are made of; by default a crystal of the model's elements in "
            "which atoms have as many neighbours as in its training data.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps that are timed of each size.", min=1)] = 10,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure the time of a step of dynamics.

    On this machine, with systems of several sizes: the median of some steps with ASE, after the
    first one, which compiles.

    Examples:
      mlip-core benchmark model.zip
      mlip-core benchmark model.zip --structure silicon.cif --sizes 64,512,4096 --json
    """
    wanted = _sizes(sizes)
    atoms = None if structure is None else read_structure(structure, 0)
    force_field = load_force_field(model, threads)
    from mlip_core.physics.config import CostConfig
    from mlip_core.physics.cost import device_of, measure_cost
    from mlip_core.simulation.ase import ForceFieldCalculator

    atoms = atoms or crystal(force_field.dataset_info)
    copies = sorted({math.ceil(size / len(atoms)) for size in wanted})
    config = CostConfig(copies=copies, steps=steps, max_atoms=1 << 30, max_seconds_per_step=3600)
    calculator = ForceFieldCalculator(force_field)
    rows = measure_cost(calculator, atoms, force_field.cutoff_distance, config, seed=0)
    device = device_of(calculator)
    if json:
        print_json({"device": device, "threads": threads, "rows": rows})
        return
    typer.echo(device)
    print_table(
        ["atoms", "ms/step", "µs/atom", "steps/s"],
        [
            [
                row["n_atoms"],
                f"{1e3 * row['seconds_per_step']:.3g}",
                f"{row['microseconds_per_atom']:.3g}",
                f"{row['steps_per_second']:.4g}",
            ]
            for row in rows
        ],
    )


def crystal(info: "DatasetInfo") -> "Atoms":
    """Simple cubic, with all elements in turn, as dense as the training data within the cutoff.

    It has no physical meaning; the time that a model takes depends on the number of neighbours.
    """
    from ase import Atoms

    volume_of_neighbors = 4 / 3 * math.pi * info.cutoff_distance_angstrom**3
    spacing = (volume_of_neighbors / max(info.avg_num_neighbors, 1.0)) ** (1 / 3)
    elements = list(info.atomic_energies_map)
    cell = [spacing * len(elements), spacing, spacing]
    positions = [[spacing * index, 0.0, 0.0] for index in range(len(elements))]
    return Atoms(elements, positions=positions, cell=cell, pbc=True)


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise UserError(f"--sizes {text}: must be whole numbers with commas between, e.g. 64,512")
    return sizes
