"""The program ``mlip-core`` and its commands.

Nothing heavy is imported here or at the top of a command's module, so that help, completion and
messages about mistakes are there at once.
"""

from collections.abc import Callable
from importlib.metadata import version
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mlip_core.cli.benchmark import benchmark
from mlip_core.cli.convert import convert
from mlip_core.cli.export import export
from mlip_core.cli.info import info
from mlip_core.cli.md import md
from mlip_core.cli.predict import predict
from mlip_core.cli.relax import relax
from mlip_core.cli.validate_data import validate_data
from mlip_core.utils.errors import exit_on_user_error


class _Group(TyperGroup):
    """Commands that end on a mistake of the user's with one line and status 1."""

    def invoke(self, ctx: Any) -> Any:
        with exit_on_user_error():
            return super().invoke(ctx)


def _help_of(command: Callable[..., None]) -> str:
    """A command's docstring, whose examples are printed line by line."""
    return (getdoc(command) or "").replace("\n\nExamples:", "\n\n\b\nExamples:")


# Plain help: Rich would take longer to import than the help takes to print.
app = typer.Typer(
    name="mlip-core",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 if all went well, 1 after a mistake in a file or a failed check, which "
    "is said in one line, 2 if the command line is wrong, 3 if there is a result but not the one "
    "asked for: a relaxation that did not converge, dynamics that blew up; 75 if dynamics were "
    "stopped by a signal and can be resumed.",
)
for command in (predict, relax, md, info, validate_data, convert, export, benchmark):
    app.command(help=_help_of(command), no_args_is_help=True)(command)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(version("mlip-core"))
        raise typer.Exit


@app.callback()
def _main(
    is_version_wanted: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Use a machine-learning interatomic potential: a model zip of mlip-core or of mlip 0.1.

    Structures may be in any format that ASE reads. Units are Å, eV, eV/Å, eV/Å³ and fs. A file
    that is there already is never overwritten without --force.
    """
    del is_version_wanted
