"""``mlip-core relax``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_core.cli.console import print_json, print_table
from mlip_core.cli.models import load_force_field
from mlip_core.cli.options import (
    EXIT_NOT_REACHED,
    XYZ_SUFFIXES,
    Force,
    Json,
    Model,
    Output,
    Structures,
    Threads,
    check_output,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.progress_bar import progress_bar

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


def relax(
    model: Model,
    structures: Structures,
    output: Output,
    fmax: Annotated[
        float, typer.Option(help="Relaxed when no force (eV/Å) is larger.", min=1e-6)
    ] = 0.01,
    steps: Annotated[int, typer.Option(help="Most steps for a structure.", min=1)] = 500,
    cell: Annotated[
        bool, typer.Option("--cell", help="Relax cells as well, of periodic structures.")
    ] = False,
    threads: Threads = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Relax structures to a minimum of the energy.

    By LBFGS. Writes the last positions with energy (eV), forces (eV/Å) and, of periodic structures,
    stress (eV/Å³) as extended XYZ. Ends with status 3 if a structure did not converge.

    Examples:
      mlip-core relax model.zip molecule.xyz -o relaxed.xyz
      mlip-core relax model.zip POSCAR -o relaxed.xyz --cell --fmax 0.001
    """
    check_output(output, XYZ_SUFFIXES, structures, force)
    from mlip_core.data.frames import read_frames
    from mlip_core.reference.extxyz import write_extxyz

    frames = read_frames(structures, require=())
    if cell and not all(frame.pbc.all() for frame in frames):
        place = next(frame.place for frame in frames if not frame.pbc.all())
        raise UserError(f"{place}: is not periodic in all directions; leave out --cell")
    force_field = load_force_field(model, threads)
    from mlip_core.simulation.ase import ForceFieldCalculator

    calculator = ForceFieldCalculator(force_field)
    relaxed, rows = [], []
    with progress_bar("structures", len(frames)) as move_bar:
        for frame in frames:
            found, about = _relaxed(frame.atoms, calculator, fmax, steps, cell)
            relaxed.append(found)
            rows.append({"structure": f"{Path(frame.file).name}:{frame.index}"} | about)
            move_bar(advance=1)
    write_extxyz(output, relaxed)
    _report(rows, output, json)
    if not all(row["converged"] for row in rows):
        raise typer.Exit(EXIT_NOT_REACHED)


def _relaxed(
    atoms: "Atoms", calculator: "Calculator", fmax: float, steps: int, with_cell: bool
) -> "tuple[Atoms, dict[str, Any]]":
    """The relaxed structure with fixed results, and what became of it."""
    import numpy as np
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    atoms.calc = calculator
    start = atoms.get_potential_energy()
    moving: Any = FrechetCellFilter(atoms) if with_cell else atoms
    optimizer = LBFGS(moving, logfile=os.devnull)
    converged = bool(optimizer.run(fmax=fmax, steps=steps))
    results = {name: atoms.calc.results[name] for name in ("energy", "forces")}
    if atoms.pbc.all():
        results["stress"] = atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info = {"converged": converged, "relaxation_steps": optimizer.nsteps}
    return atoms, {
        "energy_ev": float(results["energy"]),
        "energy_change_ev": float(results["energy"] - start),
        "max_force_ev_per_angstrom": float(np.linalg.norm(results["forces"], axis=1).max()),
        "steps": optimizer.nsteps,
        "converged": converged,
    }


def _report(rows: list[dict[str, Any]], output: Path, as_json: bool) -> None:
    if as_json:
        print_json({"structures": rows})
        return
    print_table(
        ["structure", "energy (eV)", "change (eV)", "largest force (eV/Å)", "steps", "converged"],
        [
            [
                row["structure"],
                f"{row['energy_ev']:.6f}",
                f"{row['energy_change_ev']:.6f}",
                f"{row['max_force_ev_per_angstrom']:.4g}",
                row["steps"],
                "yes" if row["converged"] else "no",
            ]
            for row in rows
        ],
    )
    typer.echo(f"-> {output}")
