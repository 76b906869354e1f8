"""Plots are made of figures alone, and pages show them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.models.statistics import Summary
from benchmarks.plots import RESULTS, add_plot
from benchmarks.reporting import write_report

HERE = sorted(path.stem for path in RESULTS.glob("*.svg"))
STEP = {"step": asdict(Summary(0.5, 0.4, 0.6, 9))}
SCALING = {
    "atoms": {
        "label": "atoms",
        "against": "edges",
        "tasks": {"train": "training step"},
        "rows": [{"size": n, "edges": 2 * n, "train": 0.1 * n} for n in (1, 2, 4, 8)],
        "exponents": {"train": 1.0},
    }
}
STAGE = {"seconds": 2.0, "cpu_seconds": 1.0, "peak_mib": None}
MILLION = {
    "results": [
        {"structures": count, "stages": {"check": STAGE}, "reading": {"peak_mib": 200.0}}
        for count in (1000, 10_000)
    ]
}
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "inference": ({"systems": {"acac": {"mlip-core, ASE": {"quantities": STEP}}}}, "ms a step"),
    "scaling": (SCALING, "training step: exponent 1.00"),
    "million": (MILLION, "check"),
}


def test_there_are_plots() -> None:
    assert {"data", "models"} <= {*HERE}


@pytest.mark.parametrize("name", HERE)
def test_plots_are_made_again_and_shown(name: str, tmp_path: Path) -> None:
    for suffix in (".json", ".md"):
        (tmp_path / name).with_suffix(suffix).write_bytes(
            (RESULTS / name).with_suffix(suffix).read_bytes()
        )
    plot = add_plot(tmp_path / f"{name}.json")
    assert plot is not None
    again = plot.read_bytes()
    page = plot.with_suffix(".md").read_text(encoding="utf-8")
    assert page == (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert f"({name}.svg)" in page
    add_plot(tmp_path / f"{name}.json")
    assert plot.read_bytes() == again


@pytest.mark.parametrize("name", OTHERS)
def test_a_report_has_its_plot(name: str, tmp_path: Path) -> None:
    figures, text = OTHERS[name]
    write_report(tmp_path / name, "Title", 1, figures, ["Notes.", "| a |\n| --- |"])
    assert text in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
    page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert page.index("Notes.") < page.index(f"![{name}]") < page.index("| a |")
    assert json.loads((tmp_path / f"{name}.json").read_text())["threads"] == 1


def test_results_without_a_drawing_have_tables_alone(tmp_path: Path) -> None:
    write_report(tmp_path / "other", "Title", 1, {}, ["| a |"])
    alone = {"acac-mace": {"mlip-core": {"quantities": {}}}}
    write_report(tmp_path / "models", "Title", 1, {"cases": alone}, ["| a |"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md"}
