"""Errors against hand-made numbers and against pandas."""

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from mlip_core.evaluation import (
    EvaluatedStructure,
    Evaluation,
    Values,
    compute_metrics,
    write_evaluation,
)
from mlip_core.evaluation.metrics import component_summary, error_summary, vector_summary


def test_error_summary_by_hand() -> None:
    summary = error_summary(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 2.0]))
    assert summary == {
        "count": 3,
        "mae": pytest.approx(1.0),
        "rmse": pytest.approx(np.sqrt(5 / 3)),
        "max": 2.0,
        "r2": pytest.approx(1 - 5 / 2),
    }


def test_r2_of_a_constant_reference_is_unknown() -> None:
    summary = error_summary(np.array([2.0, 2.0]), np.array([2.0, 3.0]))
    assert summary is not None
    assert summary["r2"] is None


def test_relative_rmse_is_a_share_of_the_spread() -> None:
    """Predicting the mean is 100 %, whatever the mean."""
    reference = 7.0 + np.random.default_rng(0).normal(scale=3.0, size=(50, 3))
    summary = component_summary(reference, np.full_like(reference, reference.mean()))
    assert summary is not None
    assert summary["relative_rmse_percent"] == pytest.approx(100.0, rel=1e-12)
    assert summary["reference_std"] == pytest.approx(np.std(reference), rel=1e-12)


def test_vectors_by_hand() -> None:
    reference = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    predicted = np.array([[0.0, 1.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 3.0]])
    summary = vector_summary(reference, predicted)
    assert summary == {
        "count": 3,
        "mae": pytest.approx((np.sqrt(2) + 3 + 3) / 3),
        "rmse": pytest.approx(np.sqrt((2 + 9 + 9) / 3)),
        "max": 3.0,
        "mean_cosine": pytest.approx(0.5),  # of 0 and 1; the third has no direction
    }


def test_no_values_no_errors() -> None:
    empty = np.empty((0, 3))
    assert error_summary(empty, empty) is None
    assert component_summary(empty, empty) is None
    assert vector_summary(empty, empty) is None


@pytest.fixture
def structures() -> list[EvaluatedStructure]:
    """Two compositions and sizes, two groups, one structure with stress."""
    rng = np.random.default_rng(5)
    return [_structure(rng, i) for i in range(7)]


def _structure(rng: np.random.Generator, index: int) -> EvaluatedStructure:
    symbols = ("OH2", "CH4", "O")[index % 3]
    atoms = Atoms(symbols, positions=rng.normal(size=(len(Atoms(symbols)), 3)))
    shape = (len(atoms), 3)
    stress = rng.normal(size=(2, 3, 3)) if index == 4 else (None, None)
    if index == 4:
        atoms.set_cell(rng.normal(size=(3, 3)))
        atoms.pbc = True
    energy = rng.normal(size=2)
    return EvaluatedStructure(
        atoms=atoms,
        reference=Values(-1e5 + energy[0], energy[0], rng.normal(size=shape), stress[0]),
        predicted=Values(-1e5 + energy[1], energy[1], rng.normal(size=shape), stress[1]),
        source=f"made up.xyz:{index}",
        config_type="gas phase" if index % 2 else None,
    )


def test_equal_to_pandas_on_the_predictions_file(
    structures: list[EvaluatedStructure], tmp_path: Path
) -> None:
    write_evaluation(tmp_path, Evaluation(structures, compute_metrics(structures)))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    frames = list(ase.io.iread(tmp_path / "predictions.extxyz"))
    forces = pd.concat(map(_force_table, frames), ignore_index=True)
    energies = pd.DataFrame([frame.info | {"n_atoms": len(frame)} for frame in frames])

    _assert_same(metrics["forces"], forces["REF"], forces["MLIP"])
    for element, group in forces.groupby("element"):
        _assert_same(metrics["forces_by_element"][element], group["REF"], group["MLIP"])
    columns = ("REF_interaction_energy", "MLIP_interaction_energy")
    reference, predicted = (energies[column] for column in columns)
    _assert_same(metrics["energy"], reference, predicted)
    n_atoms = energies["n_atoms"]
    _assert_same(metrics["energy_per_atom"], reference / n_atoms, predicted / n_atoms)
    gas = metrics["by_config_type"]["gas phase"]
    in_gas = energies["config_type"] == "gas phase"
    _assert_same(gas["energy"], reference[in_gas], predicted[in_gas])
    _assert_same(gas["forces"], *(forces[forces["gas"]][name] for name in ("REF", "MLIP")))


def _force_table(frame: Atoms) -> pd.DataFrame:
    table = {name: frame.arrays[f"{name}_forces"].ravel() for name in ("REF", "MLIP")}
    gas = frame.info.get("config_type") == "gas phase"
    return pd.DataFrame(table | {"element": np.repeat(frame.symbols, 3), "gas": gas})


def _assert_same(errors: dict[str, Any], reference: pd.Series, predicted: pd.Series) -> None:
    difference = predicted - reference
    assert errors["count"] == len(difference)
    assert errors["mae"] == pytest.approx(difference.abs().mean(), abs=1e-9)
    assert errors["rmse"] == pytest.approx((difference**2).mean() ** 0.5, abs=1e-9)
    assert errors["max"] == pytest.approx(difference.abs().max(), abs=1e-9)
    r2 = 1 - (difference**2).sum() / ((reference - reference.mean()) ** 2).sum()
    assert errors["r2"] == pytest.approx(r2, abs=1e-9)


def test_stress_counts_structures_that_have_it(structures: list[EvaluatedStructure]) -> None:
    stress = compute_metrics(structures)["stress"]
    reference, predicted = structures[4].reference.stress, structures[4].predicted.stress
    assert reference is not None
    assert predicted is not None
    difference = predicted - reference
    assert stress["count"] == 9
    assert stress["rmse"] == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-12)


def test_unlabelled_structures_are_left_out(structures: list[EvaluatedStructure]) -> None:
    bare = EvaluatedStructure(Atoms("H"), Values(), Values(0.0, 0.0, np.zeros((1, 3))))
    with_bare = compute_metrics([*structures, bare])
    assert with_bare["n_structures"] == 8
    assert with_bare["energy"] == compute_metrics(structures)["energy"]
    assert with_bare["forces"] == compute_metrics(structures)["forces"]


def test_nothing_labelled_gives_no_errors() -> None:
    bare = EvaluatedStructure(Atoms("H"), Values(), Values(0.0, 0.0, np.zeros((1, 3))))
    metrics = compute_metrics([bare])
    assert metrics["energy"] is None
    assert metrics["forces"] is None
    assert metrics["forces_by_element"] == {}
    assert metrics["stress"] is None
