"""Errors against hand-made numbers, and against pandas on the saved tables."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from mlip_core.evaluation import (
    DEFINITIONS,
    EvaluatedStructure,
    Evaluation,
    Values,
    compute_metrics,
    write_evaluation,
)
from mlip_core.evaluation.bootstrap import Bootstrap
from mlip_core.evaluation.metrics import Entries, component_summary, vector_summary
from mlip_core.utils.seeds import derive_seed

AXES = ("x", "y", "z")
STRESS = ("xx", "yy", "zz", "yz", "xz", "xy", "yz", "xz", "xy")  # all nine components


def entries(reference: Any, predicted: Any) -> Entries:
    reference, predicted = np.asarray(reference, float), np.asarray(predicted, float)
    rows = np.arange(len(reference))
    return Entries.known(rows, reference, predicted)


def no_draws() -> Bootstrap:
    return Bootstrap(3, 0, 0)


def test_components_by_hand() -> None:
    summary = component_summary(entries([1.0, 2.0, 3.0], [1.0, 4.0, 2.0]), no_draws())
    assert summary == {
        "count": 3,
        "mae": pytest.approx(1.0),
        "rmse": pytest.approx(np.sqrt(5 / 3)),
        "max": 2.0,
        "quantiles": {
            "50": pytest.approx(1.0),
            "90": pytest.approx(1.8),
            "95": pytest.approx(1.9),
            "99": pytest.approx(1.98),
        },
        "r2": pytest.approx(1 - 5 / 2),
        "reference_std": pytest.approx(np.sqrt(2 / 3)),
        "relative_rmse_percent": pytest.approx(100 * np.sqrt(5 / 2)),
    }


def test_what_depends_on_the_spread_is_unknown_without_one() -> None:
    summary = component_summary(entries([2.0, 2.0], [2.0, 3.0]), no_draws())
    assert summary is not None
    assert summary["r2"] is None
    assert summary["relative_rmse_percent"] is None


def test_vectors_by_hand() -> None:
    reference = [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    predicted = [[0.0, 1.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 3.0]]
    summary = vector_summary(entries(reference, predicted), no_draws())
    assert summary is not None
    quantiles = summary.pop("quantiles")
    assert quantiles["50"] == 3.0
    assert summary == {
        "count": 3,
        "mae": pytest.approx((np.sqrt(2) + 3 + 3) / 3),
        "rmse": pytest.approx(np.sqrt((2 + 9 + 9) / 3)),
        "max": 3.0,
        "mean_cosine": pytest.approx(0.5),  # of 0 and 1; the third has no direction
    }


def test_no_values_no_errors() -> None:
    empty = entries(np.empty((0, 3)), np.empty((0, 3)))
    assert component_summary(empty, no_draws()) is None
    assert vector_summary(empty, no_draws()) is None


def structure(rng: np.random.Generator, index: int) -> EvaluatedStructure:
    """One of several compositions and sizes; some have stress, a type, or no forces."""
    symbols = ("OH2", "CH4", "O", "C2H6O", "SiO2")[index % 5]
    atoms = Atoms(symbols, positions=rng.normal(size=(len(Atoms(symbols)), 3)))
    stress = rng.normal(size=(2, 3, 3)) if index % 4 == 1 else (None, None)
    if index % 4 == 1:
        stress += stress.swapaxes(1, 2)
        atoms.set_cell(rng.normal(size=(3, 3)))
        atoms.pbc = True
    energies = rng.normal(size=2)
    reference, error = rng.normal(size=(2, len(atoms), 3)) * [[[3.0]], [[0.3]]]
    return EvaluatedStructure(
        atoms=atoms,
        reference=Values(
            -1e5 + energies[0], energies[0], None if index % 7 == 3 else reference, stress[0]
        ),
        predicted=Values(-1e5 + energies[1], energies[1], reference + error, stress[1]),
        source=f"made up.xyz:{index}",
        config_type=("gas phase", None, "bulk")[index % 3],
    )


@pytest.fixture(scope="module")
def structures() -> list[EvaluatedStructure]:
    rng = np.random.default_rng(5)
    return [structure(rng, index) for index in range(40)]


@pytest.fixture(scope="module")
def saved(
    structures: list[EvaluatedStructure], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """The metrics and both tables as the files have them."""
    directory = tmp_path_factory.mktemp("evaluation")
    write_evaluation(directory, Evaluation(structures, compute_metrics(structures, 200, seed=3)))
    metrics = json.loads((directory / "metrics.json").read_text())
    tables = (pd.read_parquet(directory / f"{name}.parquet") for name in ("structures", "atoms"))
    return metrics, *tables


def test_equal_to_pandas_on_the_saved_tables(
    saved: tuple[dict[str, Any], pd.DataFrame, pd.DataFrame],
) -> None:
    metrics, structures, atoms = saved
    assert metrics["n_structures"] == len(structures)
    assert metrics["n_atoms"] == len(atoms)
    assert_structures(metrics, structures, atoms)
    assert set(metrics["by_config_type"]) == {"gas phase", "bulk"}
    for name, group in metrics["by_config_type"].items():
        chosen = structures[structures["config_type"] == name]
        assert group["n_structures"] == len(chosen)
        assert_structures(group, chosen, atoms[atoms["structure"].isin(chosen.index)])
    assert list(metrics["by_size"]) == ["1", "3-4", "5-8", "9-16"]
    for name, group in metrics["by_size"].items():
        low, _, high = name.partition("-")
        chosen = structures[structures["n_atoms"].between(int(low), int(high or low))]
        assert_structures(group, chosen, atoms[atoms["structure"].isin(chosen.index)])


def test_groups_of_atoms_equal_to_pandas(
    saved: tuple[dict[str, Any], pd.DataFrame, pd.DataFrame],
) -> None:
    metrics, _, atoms = saved
    atoms = atoms.dropna()
    assert set(metrics["by_element"]) == {"H", "C", "O", "Si"}
    for name, group in metrics["by_element"].items():
        assert_forces(group, atoms[atoms["element"] == name])
    length = (atoms[[f"reference_f{axis}" for axis in AXES]] ** 2).sum(axis=1) ** 0.5
    assert sum(group["n_atoms"] for group in metrics["by_force_magnitude"].values()) == len(atoms)
    for name, group in metrics["by_force_magnitude"].items():
        low, _, high = name.removeprefix(">").partition("-")
        assert_forces(group, atoms[(length >= float(low)) & (length < float(high or "inf"))])


def assert_structures(
    metrics: dict[str, Any], structures: pd.DataFrame, atoms: pd.DataFrame
) -> None:
    columns = ("reference_interaction_energy", "predicted_interaction_energy")
    energies = [structures[column] for column in columns]
    assert_same(metrics["energy"], *energies)
    assert_same(metrics["energy_per_atom"], *(e / structures["n_atoms"] for e in energies))
    assert_forces(metrics, atoms.dropna())
    with_stress = structures.dropna(subset="reference_stress_xx")
    assert_same(metrics["stress"], *stacked(with_stress, "stress_", STRESS))


def assert_forces(metrics: dict[str, Any], atoms: pd.DataFrame) -> None:
    assert_same(metrics["forces"], *stacked(atoms, "f", AXES))
    reference, predicted = (
        atoms[[f"{side}_f{axis}" for axis in AXES]].set_axis(AXES, axis=1)
        for side in ("reference", "predicted")
    )
    errors, difference = metrics["forces_vector"], ((predicted - reference) ** 2).sum(axis=1)
    assert errors["mae"] == pytest.approx((difference**0.5).mean(), abs=1e-9)
    assert errors["rmse"] == pytest.approx(difference.mean() ** 0.5, abs=1e-9)
    assert errors["max"] == pytest.approx(difference.max() ** 0.5, abs=1e-9)
    assert errors["quantiles"]["90"] == pytest.approx((difference**0.5).quantile(0.9), abs=1e-9)
    lengths = ((reference**2).sum(axis=1) * (predicted**2).sum(axis=1)) ** 0.5
    cosine = ((reference * predicted).sum(axis=1) / lengths).mean()
    assert errors["mean_cosine"] == pytest.approx(cosine, abs=1e-9)


def stacked(table: pd.DataFrame, prefix: str, names: tuple[str, ...]) -> Iterator[pd.Series]:
    """All components in one column, of the reference and of the prediction."""
    for side in ("reference", "predicted"):
        columns = [table[f"{side}_{prefix}{name}"] for name in names]
        yield pd.concat(columns, ignore_index=True)


def assert_same(errors: dict[str, Any] | None, reference: pd.Series, predicted: pd.Series) -> None:
    if errors is None:
        assert not len(reference)
        return
    difference = predicted - reference
    assert errors["count"] == len(difference)
    assert errors["mae"] == pytest.approx(difference.abs().mean(), abs=1e-9)
    assert errors["rmse"] == pytest.approx((difference**2).mean() ** 0.5, abs=1e-9)
    assert errors["max"] == pytest.approx(difference.abs().max(), abs=1e-9)
    for percent, value in errors["quantiles"].items():
        quantile = difference.abs().quantile(int(percent) / 100)
        assert value == pytest.approx(quantile, abs=1e-9)
    assert errors["reference_std"] == pytest.approx(reference.std(ddof=0), abs=1e-9)
    r2 = 1 - (difference**2).sum() / ((reference - reference.mean()) ** 2).sum()
    assert errors["r2"] == pytest.approx(r2, abs=1e-9)


def test_intervals_equal_those_of_drawn_tables(
    saved: tuple[dict[str, Any], pd.DataFrame, pd.DataFrame],
) -> None:
    """The same draws, but each as a table of its own of which pandas computes the errors."""
    metrics, structures, atoms = saved
    size = len(structures)
    rng = np.random.default_rng(derive_seed(3, "bootstrap of test structures"))
    of_structure = dict(list(atoms.dropna().groupby("structure")))
    rmse, r2 = [], []
    for drawn in rng.integers(size, size=(200, size)):
        chosen = structures.iloc[drawn]
        difference = chosen["predicted_interaction_energy"] - chosen["reference_interaction_energy"]
        spread = chosen["reference_interaction_energy"].var(ddof=0)
        r2.append(1 - (difference**2).mean() / spread)
        table = pd.concat([of_structure[row] for row in drawn.tolist() if row in of_structure])
        reference, predicted = stacked(table, "f", AXES)
        rmse.append(((predicted - reference) ** 2).mean() ** 0.5)
    expected = np.percentile(rmse, [2.5, 97.5])
    assert metrics["forces"]["confidence"]["rmse"] == pytest.approx(expected, abs=1e-9)
    assert metrics["energy"]["confidence"]["r2"] == pytest.approx(
        np.percentile(r2, [2.5, 97.5]), abs=1e-9
    )


def test_intervals_of_vectors_are_those_of_drawn_vectors() -> None:
    reference, predicted = np.random.default_rng(5).normal(size=(2, 6, 3))
    summary = vector_summary(entries(reference, predicted), bootstrap := Bootstrap(6, 50, 1))
    bootstrap.run()
    assert summary is not None
    seed = derive_seed(1, "bootstrap of test structures")
    drawn = np.random.default_rng(seed).integers(6, size=(50, 6))
    errors = np.linalg.norm(predicted - reference, axis=1)
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(predicted, axis=1)
    cosines = np.sum(reference * predicted, axis=1) / lengths
    for name, values in {
        "mae": errors[drawn].mean(axis=1),
        "rmse": (errors[drawn] ** 2).mean(axis=1) ** 0.5,
        "mean_cosine": cosines[drawn].mean(axis=1),
    }.items():
        expected = np.percentile(values, [2.5, 97.5])
        assert summary["confidence"][name] == pytest.approx(expected, rel=1e-12), name


def test_intervals_of_a_normal_mean_are_the_textbook_ones() -> None:
    """Of n standard normal errors with known sign, the MAE scatters by its standard error."""
    rng = np.random.default_rng(0)
    errors = np.abs(rng.normal(size=2000))
    summary = component_summary(
        entries(np.zeros(2000), errors), bootstrap := Bootstrap(2000, 2000, 1)
    )
    bootstrap.run()
    assert summary is not None
    half = 1.96 * errors.std() / np.sqrt(2000)
    expected = [errors.mean() - half, errors.mean() + half]
    assert summary["confidence"]["mae"] == pytest.approx(expected, abs=0.1 * half)
    assert summary["confidence"]["r2"] is None


def test_atoms_of_a_structure_are_drawn_together() -> None:
    """A hundred equal atoms in a structure know no more than one does."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(50, 1))
    alone, copied = Bootstrap(50, 500, 4), Bootstrap(50, 500, 4)
    rows = np.arange(50)
    one = component_summary(Entries.known(rows, np.zeros((50, 1)), values), alone)
    many = component_summary(
        Entries.known(rows.repeat(100), np.zeros((5000, 1)), values.repeat(100, axis=0)), copied
    )
    alone.run()
    copied.run()
    assert one is not None
    assert many is not None
    assert many["confidence"]["mae"] == pytest.approx(one["confidence"]["mae"], rel=1e-12)


def test_one_structure_has_no_interval(structures: list[EvaluatedStructure]) -> None:
    metrics = compute_metrics(structures[:1])
    assert set(metrics["energy"]["confidence"].values()) == {None}
    assert set(metrics["forces"]["confidence"].values()) == {None}
    low, high = compute_metrics(structures[:2])["energy"]["confidence"]["mae"]
    assert low < high


def test_a_force_at_a_bound_belongs_to_the_larger_ones() -> None:
    forces = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, -10.0]])
    values = Values(0.0, 0.0, forces)
    metrics = compute_metrics([EvaluatedStructure(Atoms("H4"), values, values)], n_resamples=0)
    counts = {name: found["n_atoms"] for name, found in metrics["by_force_magnitude"].items()}
    assert counts == {"0-0.3": 1, "0.3-1": 1, "1-3": 1, ">10": 1}


def test_unlabelled_structures_are_left_out(structures: list[EvaluatedStructure]) -> None:
    bare = EvaluatedStructure(Atoms("H"), Values(), Values(0.0, 0.0, np.zeros((1, 3))))
    with_bare = compute_metrics([*structures, bare], n_resamples=0)
    without = compute_metrics(structures, n_resamples=0)
    assert with_bare["n_structures"] == len(structures) + 1
    for name in ("energy", "forces", "stress", "by_element"):
        assert with_bare[name] == without[name]


def test_nothing_labelled_gives_no_errors() -> None:
    bare = EvaluatedStructure(Atoms("H"), Values(), Values(0.0, 0.0, np.zeros((1, 3))))
    metrics = compute_metrics([bare])
    assert metrics["energy"] is None
    assert metrics["forces"] is None
    assert metrics["by_element"] == {}
    assert metrics["by_force_magnitude"] == {}
    assert metrics["stress"] is None


def test_every_figure_is_defined(structures: list[EvaluatedStructure]) -> None:
    metrics = compute_metrics(structures, n_resamples=2)
    shown = {name for name, value in metrics.items() if isinstance(value, dict)}
    shown |= metrics["forces"].keys() | metrics["forces_vector"].keys()
    assert shown - DEFINITIONS.keys() == {"count", "units", "bootstrap"}
