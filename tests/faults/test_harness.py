"""A few faults of each kind; `make faults` injects them by the hundred."""

import pytest

from benchmarks.faults.__main__ import prepare
from benchmarks.faults.damage import DAMAGES
from benchmarks.faults.series import SERIES, Bench
from benchmarks.faults.study import Outcome, Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return prepare(tmp_path_factory.mktemp("faults"), seed=1, share=0.2)


@pytest.mark.parametrize("name", ["killed_jobs", "killed_snakemake", "two_snakemakes"])
def test_nothing_is_lost(bench: Bench, name: str) -> None:
    for outcome in SERIES[name](bench):
        assert outcome.injected > 0
        assert outcome.lost == [], outcome


def test_a_difference_is_noticed(bench: Bench) -> None:
    """The comparison that all else rests on."""
    study = bench.finished("different")
    for file in ("models/best.zip", "datasets/ethane/dataset_info.json"):
        path = study.path / "results" / file
        path.write_bytes(path.read_bytes() + b" ")
    (study.path / "results/runs/small/metrics.csv").unlink()
    outcome = Outcome("changed")
    outcome.compare(bench.artifacts, Study(study.path))
    assert len(outcome.lost) == 3
    assert len(DAMAGES) == 5
