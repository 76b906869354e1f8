"""One study and its report for all tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlip_core.report import build_report
from tests.report.pages import Page, read_pages
from tests.report.study import inputs_of, make_study


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a study with its report."""
    directory = tmp_path_factory.mktemp("study") / "results"
    build_report(directory / "report", make_study(directory))
    return directory


@pytest.fixture(scope="session")
def pages(results: Path) -> dict[str, Page]:
    """Its pages."""
    return read_pages(results / "report")


@pytest.fixture
def spoiled(results: Path, tmp_path: Path) -> Callable[[Callable[[Path], object]], Page]:
    """Makes the first page of a copy of the study's results that was changed."""

    def overview(change: Callable[[Path], object]) -> Page:
        from mlip_core.report import write_overview

        copy = tmp_path / "results"
        shutil.copytree(results, copy, ignore=shutil.ignore_patterns("report"))
        change(copy)
        return Page(write_overview(copy / "report", inputs_of(copy)))

    return overview
