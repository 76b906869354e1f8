"""The tables of ``docs/reliability.md``, from what was measured last."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlip_core.utils.files import write_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results"


def write_tables(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Put the newest figures between the marks ``<!-- faults -->`` and ``<!-- end -->``."""
    text = page.read_text(encoding="utf-8")
    for name, table in (("faults", _faults), ("fuzz", _fuzz)):
        path = results / f"{name}.json"
        if path.exists():
            before, mark, rest = text.partition(f"<!-- {name} -->\n")
            after = rest.partition("<!-- end -->")[2]
            content = table(json.loads(path.read_text(encoding="utf-8")))
            text = f"{before}{mark}\n{content}\n<!-- end -->{after}"
    write_text(page, text)


def _faults(series: dict[str, list[dict[str, Any]]]) -> str:
    rows = [
        (one["fault"], one["injected"], one["alone"], one["told"], len(one["lost"]))
        for outcomes in series.values()
        for one in outcomes
    ]
    total = ("**all**", *(sum(row[column] for row in rows) for column in range(1, 5)))
    header = ("fault", "injected", "went on by itself", "went on as told", "lost")
    return _markdown(header, [*rows, total])


def _fuzz(tests: dict[str, dict[str, Any]]) -> str:
    rows = [(what, f"{one['cases']:,}", one["failed"]) for what, one in tests.items()]
    total = ("**all**", f"{sum(one['cases'] for one in tests.values()):,}")
    failed = sum(one["failed"] for one in tests.values())
    return _markdown(("input", "cases", "crashes left"), [*rows, (*total, failed)])


def _markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
