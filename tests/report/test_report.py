"""The report of a study made by the real writers: what stands on the page, and that it is whole."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlip_core.report import ReportInputs, build_report
from mlip_core.utils.errors import UserError
from tests.report.study import DATASET, RUNS, make_study

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A page's elements; fails where one is not closed in its place."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.html = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        """Attributes of all elements with one of the tags."""
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        """What is read, white space folded."""
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReportInputs]:
    results = tmp_path_factory.mktemp("study") / "results"
    return results, make_study(results)


@pytest.fixture(scope="module")
def page(study: tuple[Path, ReportInputs]) -> Page:
    results, inputs = study
    return Page(build_report(results / "report", inputs))


def test_page_is_well_formed(page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere(page: Page) -> None:
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    targets = [a["href"] for a in page.all("a")] + [i["src"] for i in page.all("img")]
    assert len(targets) > 20
    for target in targets:
        assert target is not None
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert (page.path.parent / target).exists(), target


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert not re.search(r"https?://|//\w|@import|url\(", page.html)
    assert all("src" not in script for script in page.all("script"))
    for figure in (page.path.parent / "figures").glob("*.svg"):
        loaded = re.findall(r'href="([^"]*)"', figure.read_text())
        assert all(link.startswith(("#", "data:")) for link in loaded)


def test_page_is_accessible(page: Page) -> None:
    assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
    assert all(header["scope"] in ("col", "row") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 3
    assert page.all("html")[0]["lang"] == "en"


def test_numbers_on_the_page_are_those_of_the_files(
    study: tuple[Path, ReportInputs], page: Page
) -> None:
    results, _ = study
    metrics = json.loads((results / "evaluation" / "default" / "test" / "metrics.json").read_text())
    nve = json.loads((results / "evaluation" / "default" / "nve.json").read_text())
    assert f"{1000 * metrics['forces']['rmse']:.1f} meV/Å" in page.text
    assert f"{1000 * metrics['energy_per_atom']['rmse']:.3f} meV/atom" in page.text
    assert f"{abs(nve['drift_mev_per_atom']):.4f}" in page.text
    assert 'ForceFieldCalculator("' in page.text
    assert "seed: 42" in page.text


def test_leaderboard_file(study: tuple[Path, ReportInputs], page: Page) -> None:
    results, _ = study
    table = pd.read_csv(page.path.parent / "leaderboard.csv").set_index("run")
    assert list(table.index) == ["default", "wide-cutoff"]
    assert list(table["best"]) == [True, False]
    for run in RUNS:
        metrics = json.loads((results / "evaluation" / run / "test" / "metrics.json").read_text())
        row = table.loc[run]
        assert row["force_rmse_mev_per_angstrom"] == 1000 * metrics["forces"]["rmse"]
        assert row["energy_mae_mev_per_atom"] == 1000 * metrics["energy_per_atom"]["mae"]
        assert row["nve_passed"]
        assert row["epochs"] == 40
        assert row["training_seconds"] == pytest.approx(52.0)


def test_leaderboard_rows_sort_by_what_the_cells_say(page: Page) -> None:
    cells = [c for c in page.all("td", "th") if "data-value" in c]
    assert len(cells) == len(RUNS) * len([h for h in page.all("button") if h == {"type": "button"}])
    numeric = [c["data-value"] for c in cells if c.get("class") == "number"]
    assert np.isfinite([float(value or "nan") for value in numeric]).all()


def test_dataset_is_described(page: Page) -> None:
    assert "train 60 540 fitting the parameters" in page.text
    assert "unused 10" in page.text
    assert "C2H6O (110)" in page.text
    assert "Nothing to remark." in page.text
    assert (page.path.parent / "figures" / f"{DATASET}-force.svg").exists()


def test_same_study_same_bytes(
    study: tuple[Path, ReportInputs], page: Page, tmp_path: Path
) -> None:
    results, inputs = study
    again = shutil.copytree(results, tmp_path / "results", ignore=shutil.ignore_patterns("report"))
    moved = ReportInputs.from_results(
        again, dict.fromkeys(RUNS, DATASET), inputs.best_run, inputs.title
    )
    build_report(again / "report", moved)
    for path in _files(page.path.parent):
        content = (again / "report" / path).read_bytes()
        expected = (page.path.parent / path).read_bytes()
        assert content == expected.replace(str(results).encode(), str(again).encode()), path


def _files(directory: Path) -> Iterator[Path]:
    return (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())


def _page(results: Path, title: str = "Study") -> Page:
    inputs = ReportInputs.from_results(results, {"default": DATASET}, "default", title)
    return Page(build_report(results / "report", inputs))


def _change(path: Path, changes: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def copy_of(
    study: tuple[Path, ReportInputs], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Copies the study's results, to be spoiled."""

    def copied(name: str) -> Path:
        target = tmp_path_factory.mktemp(name) / "results"
        return shutil.copytree(study[0], target, ignore=shutil.ignore_patterns("report"))

    return copied


FINDING = {
    "check": "duplicates",
    "action": "warn",
    "message": "12 frames repeat the structure of an earlier one",
    "remedy": "remove the copies",
    "count": 12,
    "frames": [{"file": "data/a.xyz", "index": 3}, {"file": "data/a.xyz", "index": 5}],
}


LEAKAGE = {
    "check": "leakage",
    "action": "drop",
    "message": "2 frames of train stand in a later split as well",
    "remedy": "remove the copies",
    "count": 1,
    "frames": [{"file": "data/b.xyz", "index": 7}],
}


@pytest.fixture(scope="module")
def bad_page(copy_of: Callable[[str], Path]) -> Page:
    """One run, whose dynamics failed, on a dataset with a finding, under a nasty title."""
    results = copy_of("bad")
    dynamics = results / "evaluation" / "default" / "nve.json"
    _change(dynamics, {"passed": False, "drift_mev_per_atom": 4.5})
    quality = results / "datasets" / DATASET / "quality.json"
    summary = json.loads(quality.read_text())["summary"]
    summary |= {"dropped": {"close_atoms": 2}, "smallest_cell_height_angstrom": 4.0}
    _change(quality, {"findings": [FINDING], "summary": summary})
    _change(results / "datasets" / DATASET / "splits" / "split.json", {"findings": [LEAKAGE]})
    return _page(results, title="<b>Bold</b> & <script>alert(1)</script>")


def test_one_run_is_not_compared(bad_page: Page) -> None:
    assert "wide-cutoff" not in bad_page.text
    assert "Of 1 runs" not in bad_page.text
    assert not list((bad_page.path.parent / "figures").glob("comparison*"))


def test_failed_dynamics_are_said_at_the_top(bad_page: Page) -> None:
    assert "It does not keep the energy in dynamics." in bad_page.text
    assert "4.50 meV/atom ✗ failed" in bad_page.text


def test_findings_of_the_check_are_listed(bad_page: Page) -> None:
    assert "Warning: 12 frames repeat" in bad_page.text
    assert "(a.xyz: 3, 5 and 10 more). Remove the copies." in bad_page.text
    assert "Nothing to remark" not in bad_page.text
    assert "Left out: 2 frames of train stand in a later split as well (b.xyz: 7)." in bad_page.text
    assert "Left out by the check 2: close atoms 2" in bad_page.text
    assert "4.00 Å, below the cutoff: atoms see their own images" in bad_page.text


def test_names_are_text_not_markup(bad_page: Page) -> None:
    assert "<b>Bold" not in bad_page.html
    assert "<b>Bold</b> & <script>alert(1)</script>" in bad_page.text


def test_explosion_is_said_at_the_top(copy_of: Callable[[str], Path]) -> None:
    results = copy_of("exploded")
    explosion = "temperature reached 9999 K after 3 fs"
    _change(
        results / "evaluation" / "default" / "nve.json",
        {"passed": False, "explosion": explosion, "drift_mev_per_atom": None},
    )
    page = _page(results)
    assert "blew up: do not use it for dynamics" in page.text
    assert explosion in page.text


def test_files_that_are_missing_are_left_out(copy_of: Callable[[str], Path]) -> None:
    results = copy_of("missing")
    stale = results / "report" / "figures" / "old-run-nve-energy.svg"
    stale.parent.mkdir(parents=True)
    stale.touch()
    evaluation = results / "evaluation" / "default"
    (evaluation / "nve.json").unlink()
    shutil.rmtree(evaluation / "test")
    shutil.rmtree(results / "runs" / "default")
    shutil.rmtree(results / "datasets")
    page = _page(results)
    assert "The model has not been evaluated on a test set." in page.text
    assert "NVE drift" not in page.text
    assert not stale.exists()


def test_unknown_best_run_is_a_user_error(tmp_path: Path) -> None:
    inputs = ReportInputs.from_results(tmp_path, {"default": DATASET}, "other")
    with pytest.raises(UserError, match="best run 'other' is not among the runs"):
        build_report(tmp_path / "report", inputs)


def test_no_runs_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs"):
        build_report(tmp_path, ReportInputs.from_results(tmp_path, {}, ""))
