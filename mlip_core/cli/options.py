"""What several commands have in common: arguments, options, and the status that they end with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlip_core.utils.errors import UserError

if TYPE_CHECKING:
    from mlip_core.data.frames import LabelKeys

XYZ_SUFFIXES = (".xyz", ".extxyz")

EXIT_NOT_REACHED = 3
"""Exit status: there is a result, but not the one asked for."""

Model = Annotated[Path, typer.Argument(help="Model zip.", show_default=False)]
Structures = Annotated[list[Path], typer.Argument(help="Files of structures.", show_default=False)]
Structure = Annotated[
    Path, typer.Argument(help="File of structures; see --frame.", show_default=False)
]
Frame = Annotated[
    int, typer.Option(help="Which structure of the file, from 0; -1 is the last one.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)]
Force = Annotated[
    bool, typer.Option("--force", "-f", help="Overwrite the output if it is there already.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads; by default as many as JAX likes.", show_default=False),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="KEY=VALUE",
        help="Where labels are, and in which units, e.g. energy_key=REF_energy, "
        "forces_key=REF_forces, stress_unit=GPa, energy_unit=Hartree. May be repeated.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Decides all random numbers.")]


def label_keys(settings: list[str] | None, *, may_be_missing: bool = False) -> "LabelKeys":
    """The labels that ``--label`` describes.

    Raises:
        UserError: if a setting is not one of ``LabelKeys``.
    """
    from pydantic import ValidationError

    from mlip_core.data.frames import LabelKeys

    values = {"missing": "mask"} if may_be_missing else {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or key not in LabelKeys.model_fields:
            raise UserError(
                f"--label {setting}: not KEY=VALUE with KEY one of "
                f"{', '.join(LabelKeys.model_fields)}"
            )
        values[key] = value
    try:
        return LabelKeys(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--label {first['loc'][0]}: {first['msg']}") from None


def check_output(path: Path, suffixes: tuple[str, ...], inputs: list[Path], force: bool) -> None:
    """Refuse an output before the work begins.

    Args:
        path: of the output.
        suffixes: those that say a format that can be written.
        inputs: what must not be overwritten.
        force: whether anything else may be.

    Raises:
        UserError: if its name ends otherwise; if it is there already, unless ``force``; or if it is
            one of the inputs.
    """
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{path}: the name must end with {' or '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{path}: is a directory; name a file")
    if any(path.resolve() == other.resolve() for other in inputs):
        raise UserError(f"{path}: is an input as well; write to another file")
    if path.exists() and not force:
        raise UserError(f"{path}: is there already; write to another file, or give --force")
