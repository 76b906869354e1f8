"""The model card: what it says, and that its code is code."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from mlip_core.report import dataset_inputs, entry_inputs, write_best_card, write_model_card
from mlip_core.report.formats import significant
from mlip_core.utils.errors import UserError
from tests.report.study import DATASET, EVALUATED, ORIGIN, RUNS, TESTSETS


@pytest.fixture(scope="module")
def card(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of the run ``default``."""
    path = tmp_path_factory.mktemp("cards") / "default.md"
    write_model_card(
        path,
        entry_inputs(results, "default", DATASET, EVALUATED),
        dataset_inputs(results, DATASET, ORIGIN),
    )
    return path


def test_card_says_what_the_files_say(card: Path, results: Path) -> None:
    text = card.read_text()
    for testset in TESTSETS:
        path = results / "evaluation" / "default" / testset / "metrics.json"
        metrics = json.loads(path.read_text())
        rmse, mae = (significant(1000 * metrics["forces"][name]) for name in ("rmse", "mae"))
        assert f"| {testset} | 30 | {rmse} | {mae} |" in text
    assert "| Dynamics at constant energy | passed | drift 0.0300 meV/atom (limit 1.00)" in text
    assert "| Vibrations | does not apply | No structure is small enough. |" in text
    for said in ("60 for training", "- Elements: H, C and O", "9 in a structure", "harmonic"):
        assert said in text
    assert "jax 0.10.2" in text
    assert "Seed: 42" in text


def test_card_begins_with_fields_that_programs_read(card: Path) -> None:
    fields = yaml.safe_load(card.read_text().split("---\n")[1])
    assert fields["license"] == "CC-BY-4.0"
    assert fields["tags"] == ["interatomic-potential", "H", "C", "O"]


def test_card_has_code_that_loads_the_model(card: Path, results: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", card.read_text(), flags=re.S)
    compile(code, "card", "exec")
    assert f'ForceFieldCalculator("{results}/models/default.zip")' in code
    (example,) = re.findall(r'read\("(.*?)"', code)
    assert Path(example).exists()


def test_tables_are_not_broken(card: Path) -> None:
    lines = card.read_text().splitlines()
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|")


def test_unknown_licence_is_said(results: Path, tmp_path: Path) -> None:
    entry = entry_inputs(results, "default", DATASET, EVALUATED)
    write_model_card(tmp_path / "card.md", entry, dataset_inputs(results, DATASET))
    assert "Set `licence` of the dataset in the study." in (tmp_path / "card.md").read_text()


def test_best_card_is_that_of_the_best_run(card: Path, results: Path, tmp_path: Path) -> None:
    (models := tmp_path / "models").mkdir()
    (models / "default.md").write_text('x ("models/default.zip") y')
    best = tmp_path / "best.json"
    best.write_text('{"run": "default"}')
    cards = {run: Path("models", f"{run}.md") for run in RUNS}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        write_best_card("models/best.md", best, cards)
    assert (models / "best.md").read_text() == 'x ("models/best.zip") y'


def test_best_card_where_no_run_passes(tmp_path: Path) -> None:
    (tmp_path / "best.json").write_text('{"run": null}')
    write_best_card(tmp_path / "best.md", tmp_path / "best.json", {})
    assert "No best model" in (tmp_path / "best.md").read_text()
    (tmp_path / "best.json").write_text('{"run": "gone"}')
    with pytest.raises(UserError, match="no run 'gone' any more"):
        write_best_card(tmp_path / "best.md", tmp_path / "best.json", {})
