"""The best run is the one with the smallest validation metric of the model it kept."""

from pathlib import Path

import pytest

from mlip_core.study.best import choose_best
from mlip_core.utils.errors import UserError

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


def test_smallest_loss(metrics: dict[str, Path]) -> None:
    expected = {"run": "a", "metric": "loss", "values": {"a": 1.0, "b": 2.0}}
    assert choose_best(metrics, "loss") == expected


def test_another_metric(metrics: dict[str, Path]) -> None:
    assert choose_best(metrics, "rmse_f")["run"] == "b"
    assert choose_best(metrics, "rmse_f")["values"] == {"a": 0.5, "b": 0.4}


def test_unknown_metric(metrics: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"no 'rmse_x' \(there are: loss, rmse_f\)"):
        choose_best(metrics, "rmse_x")
