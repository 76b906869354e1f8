"""The tables of ``docs/reliability.md``, from what was measured last."""

import json
from pathlib import Path
from typing import Any

from benchmarks.models.table import markdown
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
            text = f"{before}{mark}\n{content}\n\n<!-- end -->{after}"
    write_text(page, text)


def _faults(series: dict[str, list[dict[str, Any]]]) -> str:
    counts = [
        (one["fault"], one["injected"], one["alone"], one["told"], len(one["lost"]))
        for outcomes in series.values()
        for one in outcomes
    ]
    total = ("**all**", *(sum(row[column] for row in counts) for column in range(1, 5)))
    header = ("fault", "injected", "went on by itself", "went on as told", "lost")
    return markdown(header, [tuple(map(str, row)) for row in (*counts, total)])


def _fuzz(tests: dict[str, dict[str, Any]]) -> str:
    rows = [(what, f"{one['cases']:,}", str(one["failed"])) for what, one in tests.items()]
    total = ("**all**", f"{sum(one['cases'] for one in tests.values()):,}")
    failed = str(sum(one["failed"] for one in tests.values()))
    return markdown(("input", "cases", "crashes left"), [*rows, (*total, failed)])
