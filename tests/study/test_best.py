"""The best run is the one with the smallest validation metric of the model it kept."""

from pathlib import Path

import pytest

from mlip_core.study.best import choose_best, read_best_run
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json

COLUMNS = "epoch,train_loss,valid_loss,valid_rmse_f,best_loss,best_epoch\n"


@pytest.fixture
def metrics(tmp_path: Path) -> dict[str, Path]:
    rows = {
        # The kept model is that of epoch 1, not the last one.
        "a": "0,,9.0,0.9,9.0,0\n1,5,1.0,0.5,1.0,1\n2,4,3.0,0.1,1.0,1\n",
        "b": "0,,9.0,0.9,9.0,0\n1,5,3.0,0.7,3.0,1\n2,4,2.0,0.4,2.0,2\n",
    }
    for name, text in rows.items():
        (tmp_path / f"{name}.csv").write_text(COLUMNS + text)
    return {name: tmp_path / f"{name}.csv" for name in rows}


def checks(directory: Path, passed: dict[str, dict[str, bool | None]]) -> list[tuple[str, Path]]:
    """Files with the outcome of each run's checks."""
    files = []
    for run, outcomes in passed.items():
        for check, outcome in outcomes.items():
            files.append((run, directory / run / f"{check}.json"))
            write_json(files[-1][1], {"check": check, "passed": outcome})
    return files


def test_smallest_loss(metrics: dict[str, Path]) -> None:
    assert choose_best(metrics, "loss") == {
        "run": "a",
        "metric": "loss",
        "values": {"a": 1.0, "b": 2.0},
        "gates": {"a": [], "b": []},
    }


def test_another_metric(metrics: dict[str, Path]) -> None:
    assert choose_best(metrics, "rmse_f")["run"] == "b"
    assert choose_best(metrics, "rmse_f")["values"] == {"a": 0.5, "b": 0.4}


def test_unknown_metric(metrics: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"no 'rmse_x' \(there are: loss, rmse_f\)"):
        choose_best(metrics, "rmse_x")


def test_run_that_fails_a_check_is_not_chosen(metrics: dict[str, Path], tmp_path: Path) -> None:
    outcomes = {"a": {"nve": False, "dimers": True}, "b": {"nve": True, "dimers": None}}
    choice = choose_best(metrics, "loss", checks(tmp_path, outcomes))
    assert choice["run"] == "b"
    assert choice["gates"] == {"a": ["nve"], "b": []}


def test_gates_that_are_open_mark_only(metrics: dict[str, Path], tmp_path: Path) -> None:
    failed = checks(tmp_path, {"a": {"nve": False}, "b": {"nve": True}})
    choice = choose_best(metrics, "loss", failed, gates=False)
    assert choice["run"] == "a"
    assert choice["gates"] == {"a": ["nve"], "b": []}


def test_no_run_passes(metrics: dict[str, Path], tmp_path: Path) -> None:
    outcomes = {"a": {"nve": False, "dimers": False}, "b": {"nve": False}}
    choice = choose_best(metrics, "loss", checks(tmp_path, outcomes))
    assert choice["run"] is None
    assert choice["values"] == {"a": 1.0, "b": 2.0}
    write_json(tmp_path / "best.json", choice)
    with pytest.raises(UserError, match=r"a: nve, dimers; b: nve.*select_best.gates: false") as e:
        read_best_run(tmp_path / "best.json")
    assert "\n" not in str(e.value)


def test_chosen_run_is_read(metrics: dict[str, Path], tmp_path: Path) -> None:
    write_json(tmp_path / "best.json", choose_best(metrics, "loss"))
    assert read_best_run(tmp_path / "best.json") == "a"
