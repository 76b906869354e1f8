"""Averages over a dataset from averages over batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.training.metric_sums import (
    Counts,
    MetricSums,
    count_batch,
    count_of,
    empty_sums,
)
from tests.training.tiny import make_dataset


def test_padding_is_not_counted() -> None:
    dataset = make_dataset(14, 4)
    batches = list(dataset.epoch(0))
    counts = [count_batch(batch) for batch in batches]
    assert sum(int(c.graphs) for c in counts) == 14
    assert sum(int(c.nodes) for c in counts) == sum(int(g.n_node[0]) for g in dataset.graphs)
    assert sum(len(batch.n_node) for batch in batches) > 14


def test_sums_of_many_batches_lose_no_digits() -> None:
    """Plain float32 sums of these are wrong in the fourth digit."""
    batch = next(make_dataset(14, 4).epoch(0))
    counts = count_batch(batch)
    values = np.full(200_000, 0.1, np.float32)
    sums = empty_sums({"loss": jnp.float32(0)}, like=jnp.zeros(1))

    @jax.jit
    def add_all(sums: MetricSums, values: jax.Array) -> MetricSums:
        def step(sums: MetricSums, value: jax.Array) -> tuple[MetricSums, None]:
            return sums.add({"loss": value}, counts), None

        return jax.lax.scan(step, sums, values)[0]

    exact = np.mean(values, dtype=np.float64)
    found = add_all(sums, jnp.asarray(values)).averages()["loss"]
    np.testing.assert_allclose(found, exact, rtol=1e-7)
    naive = np.add.accumulate(values)[-1] / len(values)
    assert abs(naive - exact) > 1e-5


def test_sums_survive_being_taken_apart() -> None:
    batch = next(make_dataset(14, 4).epoch(0))
    sums = empty_sums({"loss": jnp.float32(0), "mae_f": jnp.float32(0)}, like=jnp.zeros(1))
    sums = sums.add({"loss": jnp.float32(0.1), "mae_f": jnp.float32(0.2)}, count_batch(batch))
    again = MetricSums.from_scalars(sums.to_scalars())
    assert set(again.sums) == set(again.residues) == {"loss", "mae_f"}
    assert jax.device_get(again) == jax.device_get(sums)
    assert again.averages() == {"loss": pytest.approx(0.1), "mae_f": pytest.approx(0.2)}


def test_one_unsound_batch_makes_the_sums_unsound() -> None:
    counts = count_batch(next(make_dataset(14, 4).epoch(0)))
    metrics = {"loss": jnp.float32(0.1)}
    sums = empty_sums(metrics, like=jnp.zeros(1)).add(metrics, counts)
    assert sums.is_sound
    spoilt = sums.add(metrics, counts, jnp.asarray(False)).add(metrics, counts, jnp.asarray(True))
    assert not spoilt.is_sound


def test_what_each_metric_is_averaged_over() -> None:
    counts = Counts(**{name: name for name in Counts.__annotations__})  # type: ignore[arg-type]
    over = {
        "loss": "graphs",
        "mae_e": "energies",
        "mse_e_per_atom": "energies",
        "mae_f": "forces",
        "mse_f": "forces",
        "mae_stress": "stresses",
        "mse_stress_per_atom": "stresses",
        "gradient_norm": "batches",
        "forces_weight": "batches",
        "param_update_norm": "updates",
    }
    assert {name: count_of(name, counts) for name in over} == over
