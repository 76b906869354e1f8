"""Results as files: figures as JSON, and what people read as Markdown."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.models.machine import describe
from mlip_core.utils.files import write_json, write_text


def write_report(
    out: Path, title: str, threads: int, figures: dict[str, Any], body: Sequence[str]
) -> None:
    """Write ``<out>.json`` and ``<out>.md``, and print the latter.

    Args:
        out: path without suffix.
        title: of the page.
        threads: of each participant.
        figures: what was measured.
        body: paragraphs and tables of the page.
    """
    machine = describe()
    conditions = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "threads": threads}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out.with_name(f"{out.name}.json"), conditions | figures)
    described = ", ".join(f"{key} {value}" for key, value in machine.items())
    text = "\n\n".join([f"# {title}", f"Machine: {described}; {threads} threads.", *body]) + "\n"
    write_text(out.with_name(f"{out.name}.md"), text)
    sys.stdout.write(text)
