"""The calibration finds what was put in, and looks at the validation set only for its factors."""

from pathlib import Path

import numpy as np
import pytest

from mlip_core.committee import calibrate, load_committee
from mlip_core.committee.calibration import Spreads, collect_spreads
from mlip_core.committee.config import CalibrationConfig
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model
from mlip_core.utils.errors import UserError
from tests.committee.test_calculator import ZIPS, with_noise
from tests.data.structures import frames_of, water


def drawn(scale: float, n: int = 20_000, seed: int = 0) -> Spreads:
    """Errors that are normally distributed with ``scale`` times the spread."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.1, 2.0, n)
    return Spreads(spread, scale * spread * rng.normal(size=n))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_the_factor_of_normal_errors_is_found(scale: float) -> None:
    spreads = drawn(scale)
    assert spreads.scale() == pytest.approx(scale, rel=0.02)
    for probability in (0.5, 0.683, 0.9, 0.99):
        assert spreads.coverage(scale, probability) == pytest.approx(probability, abs=0.01)
    assert spreads.coverage(scale / 2, 0.954) == pytest.approx(0.682, abs=0.01)
    table = spreads.bins(10, scale)
    assert table["values"].tolist() == [2000] * 10
    np.testing.assert_allclose(table["rms_error"], table["scaled_spread"], rtol=0.06)
    assert table["spread"].is_monotonic_increasing


def test_the_factor_is_the_most_likely_one() -> None:
    spreads = drawn(1.7, n=50)

    def log_likelihood(scale: float) -> float:
        sigma = scale * spreads.spread
        return float(np.sum(-np.log(sigma) - 0.5 * (spreads.error / sigma) ** 2))

    best = spreads.scale()
    assert all(log_likelihood(best) > log_likelihood(best * f) for f in (0.98, 0.995, 1.005, 1.02))


def test_rank_correlation_is_that_of_spread_and_size_of_error() -> None:
    spread = np.arange(1.0, 11.0)
    assert Spreads(spread, -(spread**3)).rank_correlation() == pytest.approx(1.0)
    assert Spreads(spread, 1 / spread).rank_correlation() == pytest.approx(-1.0)
    unrelated = np.random.default_rng(0).normal(size=20_000)
    assert abs(Spreads(drawn(1.0).spread, unrelated).rank_correlation()) < 0.03


@pytest.fixture(scope="module")
def members() -> list[ForceField]:
    source = load_model(ZIPS / "mace.zip")
    return load_committee([with_noise(source, seed) for seed in range(3)])


def test_calibration_of_a_committee(members: list[ForceField]) -> None:
    validation = frames_of([water(seed) for seed in range(5)])
    test = frames_of([water(seed) for seed in range(5, 12)])
    result = calibrate(members, validation, test, CalibrationConfig(n_bins=4))
    values = {quantity.name: quantity.value for quantity in result.quantities}
    known, unseen = (collect_spreads(members, frames) for frames in (validation, test))
    assert len(unseen["forces"].error) == 7 * 3 * 3
    assert len(unseen["energy"].error) == 7
    for name, n_values in (("forces", 63), ("energy", 7)):
        assert values[f"factor on the spread, {name}"] == known[name].scale()
        rms = np.sqrt(np.mean(unseen[name].error ** 2))
        assert values[f"root mean square error, {name}"] == pytest.approx(rms)
        rows = result.table[result.table["quantity"] == name]
        assert rows["values"].sum() == n_values
        assert len(rows) == 4
    assert result.passed is None
    (plot,) = result.plots
    assert {plot.x, *plot.y, plot.group} <= set(result.table.columns)


def test_sets_without_labels_are_refused(members: list[ForceField], tmp_path: Path) -> None:
    from ase.io import write

    from mlip_core.data.frames import read_frames

    write(tmp_path / "bare.xyz", [water(seed) for seed in range(2)], format="extxyz")
    bare = read_frames(tmp_path / "bare.xyz", require=())
    with pytest.raises(UserError, match="need the same labels"):
        calibrate(members, bare, bare)
