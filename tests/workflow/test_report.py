"""The report and the model cards of a real study, and what Snakemake's own report has of them."""

import re
import subprocess
import sys
import zipfile
from typing import Any

import pytest

from tests.workflow.tiny_study import StudyDirectory


def test_licence_and_description_make_pages_only(finished: StudyDirectory) -> None:
    def describe(mapping: dict[str, Any]) -> None:
        said = {"licence": "CC0-1.0", "description": "Ethane", "level_of_theory": "EMT"}
        mapping["datasets"]["ethane"] |= said

    finished.configure(describe)
    try:
        planned = finished.snakemake("--dry-run").planned
    finally:
        finished.configure()
    assert planned == {
        "model_card": 1,
        "best_card": 1,
        "report_entry": 1,
        "report_dataset": 1,
        "report": 1,
    }


def test_code_of_the_model_card_runs(finished: StudyDirectory) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", finished.read("models/best.md"), flags=re.S)
    assert "results/models/best.zip" in code
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=finished.path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert re.match(r"-?\d+\.\d+ eV\n\[\[", run.stdout)


@pytest.mark.slow
def test_snakemake_report_has_the_figures_with_captions(finished: StudyDirectory) -> None:
    result = finished.snakemake("--report", "report.zip")
    assert result.status == 0, result.output
    with zipfile.ZipFile(finished.path / "report.zip") as archive:
        names = archive.namelist()
        page = archive.read("report/report.html").decode()
    assert sum(name.endswith(".svg") for name in names) > 10
    for words in (
        '"Models"',
        '"Datasets"',
        "<p>Energy: predicted against reference. On the grey line both are equal.</p>",
        "<p>Each bar is a job, from its start to its end; jobs that ran at once lie one above",
    ):
        assert words in page
    # Figures and scripts lie in the archive: nothing is asked of a server.
    assert not re.search(r"(src|href)=.{0,3}https?:", page)
