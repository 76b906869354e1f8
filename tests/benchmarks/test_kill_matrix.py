"""The kill matrix, with few kills: any difference it finds is a defect of the training."""

from pathlib import Path

import pytest

from benchmarks.training.kill_matrix import run_kill_matrix


@pytest.mark.slow
def test_training_killed_at_random_moments_ends_with_the_same_bytes(tmp_path: Path) -> None:
    outcome = run_kill_matrix(tmp_path, n_kills=4, num_epochs=80, scenario="diverging", seed=3)
    assert outcome.kills + outcome.stops >= 2
    assert outcome.positions == sorted(outcome.positions)
    assert outcome.differences == []
