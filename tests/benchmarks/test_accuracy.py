"""How many epochs fit into a time is found by short trainings whose starts are noisy."""

from typing import Any

import pytest

from benchmarks.models.participants import OURS
from benchmarks.training.accuracy import SEEN_SECONDS, TRIAL_SECONDS, _Runner


@pytest.mark.parametrize("per_epoch", [0.2, 2.0, 11.0, 90.0])
def test_costs_of_start_and_epoch_are_found_beside_noise(
    per_epoch: float, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first start that is slow, and later ones that differ by a second, change little."""
    runner = _Runner(OURS, tmp_path / "python", tmp_path, {"threads": 1})
    starts = iter([60.0, 31.0, *[30.0] * 10])
    taken: list[float] = []

    def run(task: str, epochs: int, name: str) -> float:
        taken.append(epochs * per_epoch)
        return next(starts) + taken[-1]

    monkeypatch.setattr(runner, "_run", run)
    start, measured = runner._costs()
    assert measured == pytest.approx(per_epoch, rel=0.05)
    assert start == pytest.approx(31.0, abs=5.0)
    assert max(taken) > SEEN_SECONDS
    assert sum(taken) < 5 * max(TRIAL_SECONDS, 4 * per_epoch)
