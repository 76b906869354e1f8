"""Results as files: figures as JSON, and what people read as Markdown and plots."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.models.machine import describe
from benchmarks.plots import add_plot
from mlip_core.utils.files import write_json, write_text


def write_report(
    out: Path | None, title: str, threads: int, figures: dict[str, Any], body: Sequence[str]
) -> str:
    """Write ``<out>.json``, ``<out>.md`` and, where there is a drawing for them, ``<out>.svg``.

    Args:
        out: path without suffix; if ``None``, nothing is written.
        title: of the page.
        threads: of each participant.
        figures: what was measured.
        body: paragraphs and tables of the page.

    Returns:
        The page, Markdown.
    """
    machine = describe()
    described = ", ".join(f"{key} {value}" for key, value in machine.items())
    text = "\n\n".join([f"# {title}", f"Machine: {described}; {threads} threads.", *body]) + "\n"
    if out is not None:
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        conditions = {"date": today, "machine": machine, "threads": threads}
        path = out.with_name(f"{out.name}.json")
        write_json(path, conditions | figures)
        write_text(out.with_name(f"{out.name}.md"), text)
        add_plot(path)
    return text
