"""Metrics for people, files and experiment trackers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlip_core.training import (
    LogCategory,
    convert_mse_to_rmse_in_logs,
    has_tensorboard,
    log_metrics_to_json_lines,
    log_metrics_to_line,
    log_metrics_to_table,
    log_metrics_to_tensorboard,
    log_metrics_to_tracker,
)
from mlip_core.utils.errors import UserError
from tests.training.tiny import make_loop


def test_root_is_taken_of_mean_squares_only() -> None:
    logs = {"mse_e": 4.0, "mse_e_per_atom": 9.0, "mae_e": 4.0, "rmse_f": 4.0, "best_epoch": 4}
    assert convert_mse_to_rmse_in_logs(logs) == {
        "rmse_e": 2.0,
        "rmse_e_per_atom": 3.0,
        "mae_e": 4.0,
        "rmse_f": 4.0,
        "best_epoch": 4,
    }


def test_loggers_print_roots(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"loss": np.float32(1.5), "mse_f": 4.0}
    log_metrics_to_line(LogCategory.EVAL_METRICS, metrics, 3)
    assert capsys.readouterr().out == "Epoch 3 | Validation set | loss: 1.5, rmse_f: 2\n"
    log_metrics_to_table(LogCategory.TEST_METRICS, metrics, 3)
    words = capsys.readouterr().out.split()
    assert words[:5] == ["Test", "set", "at", "epoch", "3"]
    assert {"Loss", "1.5", "Rmse", "f", "2"} < set(words)
    log_metrics_to_line(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, 3)
    assert capsys.readouterr().out == ""


def test_json_lines_of_a_resumed_training_are_those_of_each_epoch_once(tmp_path: Path) -> None:
    path = tmp_path / "log" / "metrics.jsonl"
    for num_epochs in (2, 3):
        loop = make_loop(tmp_path, num_epochs=num_epochs)
        logger = log_metrics_to_json_lines(path)
        loop._io.attach_logger(logger)
        if num_epochs == 3:
            with open(path, "a") as file:
                file.write('{"epoch": 9, "valid/loss": 1}\n{"epoch": 9, "val')  # of a killed one
            logger(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, 2)
        loop.run()
    table = pd.read_json(path, lines=True)
    by_epoch = table.groupby("epoch")["valid/rmse_f"].count()
    assert by_epoch.to_dict() == {0: 1, 1: 1, 2: 1, 3: 1}
    history = [row["valid_rmse_f"] for row in loop.history.metrics]
    np.testing.assert_allclose(table["valid/rmse_f"].dropna(), history)


def test_damaged_lines_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"epoch": 1}\n{"epo\xff": 2}\n[3]\n{"epoch": "x"}\n4}\n{"epoch": 2}\n')
    log_metrics_to_json_lines(path)(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, 2)
    assert path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_tracker_gets_numbers_by_name_and_epoch() -> None:
    calls: list[tuple[dict[str, float], int]] = []
    logger = log_metrics_to_tracker(lambda scalars, epoch: calls.append((scalars, epoch)))
    logger(LogCategory.EVAL_METRICS, {"loss": np.float32(1.5), "mse_f": 4.0}, 3)
    logger(LogCategory.CLEANUP_AFTER_CKPT_RESTORATION, {}, 3)
    logger(LogCategory.BEST_MODEL, {"best_epoch": 2}, 4)
    assert calls == [({"valid/loss": 1.5, "valid/rmse_f": 2.0}, 3), ({"best/best_epoch": 2.0}, 4)]


def test_tensorboard_files_are_written_or_the_missing_package_is_named(tmp_path: Path) -> None:
    if not has_tensorboard():
        with pytest.raises(UserError, match="pip install tensorboardX"):
            log_metrics_to_tensorboard(tmp_path)
        return
    logger = log_metrics_to_tensorboard(tmp_path)
    logger(LogCategory.EVAL_METRICS, {"loss": 1.5}, 3)
    (events,) = tmp_path.iterdir()
    assert b"valid/loss" in events.read_bytes()
