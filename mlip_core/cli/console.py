"""What commands print: tables for people, JSON for programs, progress for who watches."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_pairs(pairs: Mapping[str, object], indent: str = "") -> None:
    """Print names and values in two columns."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        typer.echo(f"{indent}{name:<{width}}  {value}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a heading, as wide as they need."""
    lines = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@contextmanager
def progress_bar(
    description: str, total: int | None, is_shown: bool
) -> Iterator[Callable[[int], None]]:
    """A function that moves a bar on standard error to a place, if it is to be shown."""
    if not is_shown:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda place: bar.update(task, completed=place)
