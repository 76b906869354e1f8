"""The plan for 100 million structures: its arithmetic, its figures, and the page that shows it."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from benchmarks.scaling import plan as planning
from benchmarks.scaling.plan import (
    ARRAYS_OF_STATE,
    PAGE,
    RESULTS,
    Assumed,
    Figure,
    measured,
    page_with,
    plan,
    tables,
)
from mlip_core.training import get_default_mlip_optimizer
from mlip_core.training.ema import exponentially_moving_average
from mlip_core.training.training_state import init_training_state

KNOWN = {
    "shard_bytes": 1e4,
    "serial": 1e-4,
    "parallel": 1e-3,
    "open": 1e-6,
    "memory": 100.0,
    "assemble": 1e-3,
    "edges": 1000.0,
    "filled": 0.5,
    "flops": 1e6,
    "bytes": 1e5,
    "distance": 5.0,
    "parameters": 1e5,
    "overhead": 0.0,
}
ASSUMED = Assumed(
    structures=1e6,
    epochs=2,
    channels=64,
    cost_exponent=2.0,
    gpus=8,
    gpus_of_process=4,
    batch=10,
    gpu_flops=1e13,
    gpu_bytes=1e13,
    efficiency=1.0,
    preparing_cores=10,
    shard=1e5,
    disk=1e9,
    gpu_hours_to_failure=1.0,
    checkpoint_minutes=30,
)


def _rows(**changes: float) -> dict[str, float]:
    figures = {name: Figure(value, "") for name, value in (KNOWN | changes).items()}
    return {row.what: row.value for row in plan(figures, ASSUMED)}


def test_arithmetic_of_a_plan_by_hand() -> None:
    rows = _rows()
    assert rows["shards"] == pytest.approx(0.01)
    assert (rows["files of graphs"], rows["size of a file"]) == (10, pytest.approx(1000.0))
    assert rows["graphs on all cores"] == pytest.approx(1e6 * 1e-3 / 10 / 60)
    assert rows["steps of an epoch"] == 12_500
    # 10 structures of 1000 edges in half-filled batches, 1e-7 s each, times 5, times (64 / 32)².
    assert rows["a step, GPUs"] == pytest.approx(1e3 * 20_000 * 1e-7 * 5 * 4)
    assert rows["a step, its batches"] == pytest.approx(1e3 * 4 * 10 * 1e-3)
    assert rows["GPUs that one process can feed"] == 4
    assert rows["training"] == pytest.approx(2 * 12_500 * 0.04 / 86_400)
    assert rows["GPU hours"] == pytest.approx(24 * 8 * rows["training"])
    assert rows["a checkpoint, at most"] == pytest.approx(4 * 10 * 1e5 * 4 / 1e6)
    assert rows["done again after them"] == pytest.approx(rows["GPU hours"] * 8 * 0.25)


def test_the_slower_of_batches_and_steps_decides() -> None:
    assert _rows(assemble=2e-3)["training"] == pytest.approx(2 * _rows()["training"])
    assert _rows(cost_exponent=3.0)["training"] == pytest.approx(2 * _rows()["training"])


def test_newer_results_take_the_place_of_older_ones(tmp_path: Path) -> None:
    for name in ("data", "models", "overhead", "kills"):
        (tmp_path / f"{name}.json").write_bytes((RESULTS / f"{name}.json").read_bytes())
    assert "cost_exponent" not in measured(tmp_path)
    results = [_million(1000, peak_mib=100.0), _million(5000, peak_mib=101.0)]
    (tmp_path / "million.json").write_text(json.dumps({"results": results}))
    axes = {"channels": {"exponents": {"train": 1.25}}}
    (tmp_path / "scaling.json").write_text(json.dumps(axes))
    figures = measured(tmp_path)
    values = {name: figure.value for name, figure in figures.items()}
    assert values["memory"] == pytest.approx(2**20 / 4000)
    assert values["parallel"] == pytest.approx(3 / 5000)
    assert values["serial"] == pytest.approx(4 / 5000)
    assert values["assemble"] == pytest.approx(0.1e-3)
    assert values["cost_exponent"] == 1.25
    assert "5,000" in figures["shard_bytes"].source
    assert "`--cost-exponent`" not in tables(figures, Assumed())


def _million(count: int, peak_mib: float) -> dict[str, Any]:
    seconds = {"check": 1.0, "split": 1.0, "shard": 3.0, "dataset_info": 2.0}
    return {
        "structures": count,
        "sizes": {"shard_bytes": 12_000 * count},
        "stages": {name: {"cpu_seconds": value} for name, value in seconds.items()},
        "reading": {
            "seconds_to_open": 0.1,
            "milliseconds_per_batch": 1.6,
            "peak_mib": peak_mib,
            "edges_of_structure": 1200.0,
            "filled_edges": 0.9,
        },
    }


def test_a_state_has_so_many_arrays() -> None:
    params = {"block": {"kernel": jnp.ones((30, 40))}}
    optimizer, average = get_default_mlip_optimizer(), exponentially_moving_average(0.99)
    state = init_training_state(params, optimizer, average)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(state))
    assert numbers // 1200 == ARRAYS_OF_STATE


def test_the_page_shows_the_newest_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    newest = page_with(text, tables(measured(RESULTS), Assumed()))
    assert text == newest, "run `python -m benchmarks.scaling.plan --write`"


def test_assumptions_are_options(capsys: pytest.CaptureFixture[str]) -> None:
    planning.main(["--gpus", "7"])
    assert "| GPUs that share a training | 7 |" in capsys.readouterr().out
