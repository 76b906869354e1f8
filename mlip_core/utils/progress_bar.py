"""A progress bar for whoever watches a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial


@contextmanager
def progress_bar(
    description: str, total: int | None, is_shown: bool | None = None
) -> Iterator[Callable[..., None]]:
    """A function that moves a bar on standard error: ``move(completed=7)`` or ``move(advance=1)``.

    Args:
        description: what is counted.
        total: how many there are, if that is known.
        is_shown: whether there is a bar; if ``None``, where standard error is a terminal.
    """
    if not (sys.stderr.isatty() if is_shown is None else is_shown):
        yield lambda **_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield partial(bar.update, bar.add_task(description, total=total))
