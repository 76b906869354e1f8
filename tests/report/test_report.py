"""The report of a study made by the real writers: what its pages say, and that all is whole."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from mlip_core.committee.config import CalibrationConfig
from mlip_core.evaluation import DEFINITIONS
from mlip_core.physics import CheckResult, Quantity, write_result
from mlip_core.report import (
    Evaluated,
    ReportInputs,
    build_report,
    dataset_inputs,
    entry_inputs,
    write_dataset_page,
    write_entry_page,
    write_overview,
)
from mlip_core.report.formats import r_squared, significant
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json
from tests.report.pages import Page
from tests.report.study import (
    BASELINE,
    DATASET,
    EVALUATED,
    HOSTILE,
    ORIGIN,
    RUNS,
    TESTSETS,
    inputs_of,
)

Spoil = Callable[[Callable[[Path], object]], Page]


def test_there_is_a_page_for_each_entry_and_dataset(pages: dict[str, Page]) -> None:
    assert set(pages) == {
        "index.html",
        "workflow.html",
        "definitions.html",
        f"datasets/{DATASET}.html",
        *(f"entries/{entry}.html" for entry in (*RUNS, BASELINE)),
    }


def test_pages_are_well_formed(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))


def test_every_link_leads_somewhere(results: Path, pages: dict[str, Page]) -> None:
    report = results / "report"
    for page in pages.values():
        links = [a["href"] for a in page.all("a", "link") if a["href"] != "data:,"]
        links += [element["src"] for element in page.all("img", "script")]
        assert len(links) > 5
        for link in links:
            path, _, place = unquote(link or "").partition("#")
            target = (page.path.parent / path).resolve() if path else page.path
            assert target.exists(), link
            if place:
                assert place in pages[target.relative_to(report.resolve()).as_posix()].ids


def test_nothing_is_loaded_from_elsewhere(results: Path, pages: dict[str, Page]) -> None:
    report = results / "report"
    assets = [path.read_text() for path in (report / "assets").iterdir()]
    assert len(assets) == 2
    for text in [*assets, *(page.html for page in pages.values())]:
        assert not re.search(r"https?://|[\"'(]//\w|@import|url\(", text)
    figures = list((report / "figures").rglob("*.svg"))
    assert len(figures) > 50
    for figure in figures:
        loaded = re.findall(r'href="([^"]*)"', figure.read_text())
        assert all(link.startswith(("#", "data:")) for link in loaded)
        assert figure.with_suffix(".png").stat().st_size > 1000


def test_pages_are_accessible(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
        assert all(header["scope"] in ("col", "row") for header in page.all("th"))
        assert len(page.all("caption")) == len(page.all("table"))
        assert page.all("html")[0]["lang"] == "en"


def _metrics(results: Path, entry: str, testset: str = "test") -> dict[str, Any]:
    text = (results / "evaluation" / entry / testset / "metrics.json").read_text()
    metrics: dict[str, Any] = json.loads(text)
    return metrics


def test_numbers_on_the_page_are_those_of_the_files(results: Path, pages: dict[str, Page]) -> None:
    for entry in (*RUNS, BASELINE):
        text = pages[f"entries/{entry}.html"].text
        for testset in TESTSETS:
            forces = _metrics(results, entry, testset)["forces"]
            low, high = (significant(1000.0 * end) for end in forces["confidence"]["rmse"])
            rmse, mae = (significant(1000.0 * forces[name]) for name in ("rmse", "mae"))
            row = f"Force components meV/Å {rmse} {low}–{high} {mae}"
            assert row in text
            assert significant(1000.0 * forces["quantiles"]["95"]) in text
            assert r_squared(forces["r2"]) in text


def test_groups_on_the_page_are_those_of_the_files(results: Path, pages: dict[str, Page]) -> None:
    metrics, text = _metrics(results, "default"), pages["entries/default.html"].text
    for group, errors in metrics["by_element"].items():
        assert f" {group} {significant(1000.0 * errors['forces']['rmse'])} " in text
    for group, errors in metrics["by_force_magnitude"].items():
        label = f"{group.replace('-', '–')} eV/Å"
        assert f"{label} {significant(1000.0 * errors['forces']['rmse'])} " in text


def test_first_page_sums_up(results: Path, pages: dict[str, Page]) -> None:
    text = pages["index.html"].text
    rmse = significant(1000.0 * _metrics(results, "default")["forces"]["rmse"])
    assert "Of 3 runs, default is the best." in text
    assert f"is off by {rmse} meV/Å in the forces" in text
    assert "It passes all physics checks." in text
    assert "default was chosen by its loss on the validation set" in text
    assert 'models/best.zip")' in text


def test_leaderboard_file(results: Path, pages: dict[str, Page]) -> None:
    table = pd.read_csv(results / "report" / "leaderboard.csv").set_index(["entry", "test_set"])
    assert table.index[0] == ("default", "test")
    assert len(table) == 8
    for entry in (*RUNS, BASELINE):
        for testset in TESTSETS:
            metrics, row = _metrics(results, entry, testset), table.loc[(entry, testset)]
            assert row["force_rmse_mev_per_angstrom"] == 1000 * metrics["forces"]["rmse"]
            assert row["energy_mae_mev_per_atom"] == 1000 * metrics["energy_per_atom"]["mae"]
            assert row["best"] == (entry == "default")
            assert row["trained_here"] == (entry in RUNS)
    assert set(table["training_seconds"].dropna()) == {52.0}
    assert table.loc[(BASELINE, "test"), "failed_checks"] == "nve"


def test_leaderboard_shows_gates_and_cost(results: Path, pages: dict[str, Page]) -> None:
    text = pages["index.html"].text
    cost = json.loads((results / "evaluation" / "default" / "cost.json").read_text())["rows"][-1]
    per_atom, steps = (significant(cost[n]) for n in ("microseconds_per_atom", "steps_per_second"))
    assert f"✓ 2 of 2 {per_atom} {steps}" in text
    assert "✗ 1 of 2 nve" in text
    assert f"{BASELINE} not trained here" in text


def test_committee_has_a_page_and_a_row(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("report"))
    evaluation = copy / "evaluation"
    shutil.copytree(evaluation / "default", evaluation / "both")
    shutil.rmtree(evaluation / "both" / "physics")
    (evaluation / "both" / "cost.json").unlink()
    factor = Quantity.shown("factor on the spread, forces", 1.5)
    spread = CheckResult([factor], pd.DataFrame({"bin": [1]}))
    write_result(
        evaluation / "both" / "physics", "calibration", "Spread", CalibrationConfig(), spread
    )
    members, evaluated = ["default", "wide-cutoff-seed_1"], Evaluated(TESTSETS, ["calibration"])
    entry = entry_inputs(copy, "both", None, evaluated, members)
    page = Page(write_entry_page(copy / "report", entry))
    assert "Committee of default , wide-cutoff-seed_1" in page.text
    assert "the committee's mean is off by" in page.text
    assert "factor on the spread, forces 1.50" in page.text
    inputs = ReportInputs.from_results(
        copy, dict.fromkeys(RUNS, DATASET), EVALUATED, committees={"both": members}
    )
    assert "both committee of 2" in Page(write_overview(copy / "report", inputs)).text


def test_rounds_of_active_learning_have_a_table(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("report"))
    selection = {
        "pool": 812,
        "spread_quantiles_ev_per_angstrom": {"0.05": 0.1, "0.5": 0.2, "0.95": 0.5, "1.0": 0.9},
        "selected": [{"max_force_spread_ev_per_angstrom": spread} for spread in (0.9, 0.6)],
    }
    write_json(copy / "active_learning" / "grown" / "round-1" / "selection.json", selection)
    rounds = [("wide-cutoff-seed_1", DATASET), ("default", DATASET)]
    inputs = ReportInputs.from_results(
        copy, dict.fromkeys(RUNS, DATASET), EVALUATED, learning={"grown": rounds}
    )
    text = Page(write_overview(copy / "report", inputs)).text
    before, after = (
        significant(1000 * _metrics(results, entry)["forces"]["rmse"]) for entry, _ in rounds
    )
    assert f"0 wide-cutoff-seed_1 {_sizes(copy)} – – – – {before}" in text
    assert f"1 default {_sizes(copy)} 2 812 600–900 200–900 {after}" in text
    assert "training structures, 2 rounds" in text


def _sizes(results: Path) -> int:
    split = json.loads((results / "datasets" / DATASET / "splits" / "split.json").read_text())
    size: int = split["sizes"]["train"]
    return size


def test_shifted_energies_are_declared(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("report"))
    path = copy / "evaluation" / BASELINE / "test" / "metrics.json"
    metrics = json.loads(path.read_text()) | {"energy_shift": {"C": -1.25, "H": 0.5}}
    path.write_text(json.dumps(metrics))
    page = Page(write_entry_page(copy / "report", entry_inputs(copy, BASELINE, None, EVALUATED)))
    assert "a constant for each atom (C −1.250 eV, H 0.500 eV)" in page.text


def test_leaderboard_rows_sort_by_what_the_cells_say(pages: dict[str, Page]) -> None:
    cells = [c for c in pages["index.html"].all("td", "th") if "data-value" in c]
    numeric = [c["data-value"] for c in cells if c.get("class") == "number"]
    assert len(numeric) > 60
    assert np.isfinite([float(value or "nan") for value in numeric if value]).all()


def test_runs_that_differ_in_their_seeds_are_averaged(
    results: Path, pages: dict[str, Page]
) -> None:
    runs = ("wide-cutoff-seed_1", "wide-cutoff-seed_2")
    errors = [1000 * _metrics(results, run)["forces"]["rmse"] for run in runs]
    mean, std = significant(np.mean(errors)), significant(np.std(errors, ddof=1), digits=2)
    assert f"wide-cutoff test 2 {mean} ± {std}" in pages["index.html"].text


def test_physics_checks_are_shown_whatever_they_are(pages: dict[str, Page]) -> None:
    good, bad = pages["entries/default.html"].text, pages[f"entries/{BASELINE}.html"].text
    assert "Dynamics at constant energy ✓ passed" in good
    assert "drift ✓ 0.0300 meV/atom 1.00" in good
    assert "Dynamics at constant energy ✗ failed" in bad
    assert "fails 1 of 2 physics checks: Dynamics at constant energy." in bad
    assert "Vibrations does not apply No structure is small enough." in good
    assert "Dimers." in good


def test_worst_structures_are_the_worst(results: Path, pages: dict[str, Page]) -> None:
    directory = results / "evaluation" / "default" / "test"
    atoms = pd.read_parquet(directory / "atoms.parquet")
    difference = np.stack([atoms[f"predicted_f{a}"] - atoms[f"reference_f{a}"] for a in "xyz"])
    atoms["error"] = np.linalg.norm(difference, axis=0)
    worst = atoms.groupby("structure")["error"].max().sort_values(ascending=False)
    source = pd.read_parquet(directory / "structures.parquet")["source"]
    row = f"1 {source[worst.index[0]]} C2H6O"
    assert row in pages["entries/default.html"].text
    place = pages["entries/default.html"].text.index(row)
    assert significant(1000 * worst.iloc[0]) in pages["entries/default.html"].text[place:][:120]


def test_dataset_is_described(pages: dict[str, Page], results: Path) -> None:
    text = pages[f"datasets/{DATASET}.html"].text
    assert "train 60 540 fitting the parameters" in text
    assert "unused 10" in text
    assert "C2H6O (110)" in text
    assert "Nothing to remark." in text
    assert all(value in text for value in ORIGIN.values())
    drawn = {path.stem for path in (results / "report/figures/datasets" / DATASET).glob("*.svg")}
    assert drawn == {"energy", "force", "elements"}


def test_timeline_joins_the_sessions(pages: dict[str, Page]) -> None:
    text = pages["workflow.html"].text
    # 60 s from the start of the check to the end of training; 55 s and 10 s an hour later.
    assert "5 jobs in 2 min 04 s without pauses, in 2 sessions." in text
    assert "train 3 155 55.0 wide-cutoff-seed_2 155 300" in text


def test_definitions_are_those_of_the_evaluation(pages: dict[str, Page]) -> None:
    text = pages["definitions.html"].text
    assert all(" ".join(words.split()) in text for words in DEFINITIONS.values())


def test_names_are_text_not_markup(pages: dict[str, Page], spoiled: Spoil, results: Path) -> None:
    assert HOSTILE in pages["entries/default.html"].text
    for page in pages.values():
        assert [script["src"] for script in page.all("script")] == [
            f"{'../' * (page.path.parent.name != 'report')}assets/page.js"
        ]
        assert not page.all("b")


def test_hostile_title_is_text(results: Path, tmp_path: Path) -> None:
    title = "<b>Bold</b> & <script>alert(1)</script>"
    page = Page(write_overview(tmp_path / "report", inputs_of(results, title)))
    assert title in page.text
    assert not page.all("b")


def test_same_study_same_bytes(results: Path, tmp_path: Path) -> None:
    again = tmp_path / "results"
    shutil.copytree(results, again, ignore=shutil.ignore_patterns("report"))
    inputs = inputs_of(again)
    write_entry_page(again / "report", inputs.entries[0])
    write_dataset_page(again / "report", inputs.datasets[0])
    write_overview(again / "report", inputs)
    files = [path for path in (again / "report").rglob("*") if path.is_file()]
    assert len(files) > 80
    for path in files:
        expected = (results / "report" / path.relative_to(again / "report")).read_bytes()
        moved = expected.replace(str(results).encode(), str(again).encode())
        assert path.read_bytes() == moved, path


def _change(path: Path, changes: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_no_run_passes(spoiled: Spoil) -> None:
    gates = {run: ["nve", "dimers"] for run in RUNS}
    page = spoiled(lambda r: _change(r / "models/best.json", {"run": None, "gates": gates}))
    assert "No run was chosen as the best: each fails a physics check" in page.text
    assert "default (nve, dimers)" in page.text
    assert "Use the model" not in page.text
    assert "best.zip" not in page.text


FINDING = {
    "check": "duplicates",
    "action": "warn",
    "message": "12 frames repeat the structure of an earlier one",
    "remedy": "remove the copies",
    "count": 12,
    "frames": [{"file": "data/<b>a</b>.xyz", "index": 3}, {"file": "data/a.xyz", "index": 5}],
}
LEAKAGE = {
    "check": "leakage",
    "action": "drop",
    "message": "2 frames of train stand in a later split as well",
    "remedy": "remove the copies",
    "count": 1,
    "frames": [{"file": "data/b.xyz", "index": 7}],
}


def test_findings_of_the_check_are_listed(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results / "datasets" / DATASET, tmp_path / "datasets" / DATASET)
    summary = json.loads((copy / "quality.json").read_text())["summary"]
    summary |= {"dropped": {"close_atoms": 2}, "smallest_cell_height_angstrom": 4.0}
    _change(copy / "quality.json", {"findings": [FINDING], "summary": summary})
    _change(copy / "splits" / "split.json", {"findings": [LEAKAGE]})
    page = Page(write_dataset_page(tmp_path / "report", dataset_inputs(tmp_path, DATASET)))
    assert "Warning: 12 frames repeat" in page.text
    assert "b>.xyz: 3; a.xyz: 5 and 10 more). Remove the copies." in page.text
    assert "Nothing to remark" not in page.text
    assert "Left out: 2 frames of train stand in a later split as well (b.xyz: 7)." in page.text
    assert "Left out by the check 2: close atoms 2" in page.text
    assert "4.00 Å, below the cutoff: atoms see their own images" in page.text


def test_files_that_are_missing_are_left_out(tmp_path: Path) -> None:
    figures = tmp_path / "report" / "figures" / "entries" / "gone"
    figures.mkdir(parents=True)
    (figures / "old.svg").touch()
    inputs = entry_inputs(tmp_path, "gone", DATASET, EVALUATED)
    page = Page(write_entry_page(tmp_path / "report", inputs))
    assert "The model has not been evaluated on a test set." in page.text
    assert page.all("img") == []
    assert list(figures.iterdir()) == []


def test_unknown_best_run_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "best.json").write_text('{"run": "other"}')
    inputs = ReportInputs.from_results(tmp_path, {"default": DATASET}, EVALUATED)
    with pytest.raises(UserError, match="best run 'other' is not among the runs"):
        write_overview(tmp_path / "report", inputs)


def test_no_runs_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs"):
        build_report(tmp_path, ReportInputs.from_results(tmp_path, {}, EVALUATED))
