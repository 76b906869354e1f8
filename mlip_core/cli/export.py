"""``mlip-core export``."""

from typing import Annotated

import typer

from mlip_core.cli.models import load_force_field
from mlip_core.cli.options import Force, Model, Output, check_output


def export(
    model: Model,
    output: Output,
    platforms: Annotated[
        str, typer.Option(help="What it shall run on: cpu, cuda, rocm, with commas between.")
    ] = "cpu,cuda",
    force: Force = False,
) -> None:
    """Export a model to run without mlip-core.

    The program needs JAX alone and takes any number of atoms; docs/export.md has a loader of 30
    lines, and says what the program takes and gives.

    Examples:
      mlip-core export model.zip -o model.exported.zip
      mlip-core export model.zip -o gpu.exported.zip --platforms cuda
    """
    check_output(output, (".zip",), [model], force)
    force_field = load_force_field(model, None)
    from mlip_core.export import export_force_field

    export_force_field(force_field, output, tuple(platforms.split(",")))
    typer.echo(f"for {platforms}, {output.stat().st_size} bytes -> {output}")
