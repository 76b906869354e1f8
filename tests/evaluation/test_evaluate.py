"""Evaluation against the force field called on single structures, and against training's own."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jraph
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT

from mlip_core import ForceFieldCalculator
from mlip_core.committee import load_committee
from mlip_core.data import ChemicalSystem
from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.helpers import GraphDataset, create_graph_from_chemical_system
from mlip_core.evaluation import (
    evaluate,
    evaluate_to_files,
    fit_energy_shift,
    read_energy_shift,
    read_predictions,
    write_energy_shift,
    write_evaluation,
)
from mlip_core.models import ForceField
from mlip_core.models.loss_helpers import compute_eval_metrics
from mlip_core.utils.errors import UserError
from tests.training.tiny import INFO, PairNetwork

FILES = ("metrics.json", "predictions.extxyz", "structures.parquet", "atoms.parquet")
LARGE = -1e5
"""Added to the reference energy: float32 would keep its digits to 0.008 eV only."""


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    network = PairNetwork(PairNetwork.Config(), INFO)
    return ForceField.from_mlip_network(network, predict_stress=True, seed=3)


def _frame(index: int) -> Frame:
    rng = np.random.default_rng(index)
    atoms = molecule(("H2O", "H2O2", "O3")[index % 3])
    atoms.positions += rng.normal(scale=0.1, size=atoms.positions.shape)
    if index == 4:
        atoms.cell = np.array([[3.5, 0.2, 0.0], [0.0, 3.2, 0.4], [0.5, 0.0, 3.8]])
        atoms.pbc = True
    atoms.info["energy"] = _free_atoms(atoms) + rng.normal()
    atoms.info["stress"] = np.diag(rng.normal(size=3))
    atoms.info["config_type"] = "odd" if index % 2 else "even"
    atoms.arrays["forces"] = rng.normal(size=atoms.positions.shape)
    return frame_from_atoms(atoms, file="data/water.xyz", index=index)


def _free_atoms(atoms: Atoms) -> float:
    return sum(INFO.atomic_energies_map[int(z)] for z in atoms.numbers)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [_frame(index) for index in range(8)]


def _graphs(frames: Sequence[Frame], *, with_dummy: bool) -> list[jraph.GraphsTuple]:
    return [
        create_graph_from_chemical_system(
            ChemicalSystem(
                atomic_numbers=frame.numbers,
                atomic_species=np.searchsorted([1, 8], frame.numbers),
                positions=frame.positions,
                energy=frame.energy,
                forces=frame.forces,
                cell=frame.cell,
                pbc=tuple(frame.pbc.tolist()),
            ),
            INFO.cutoff_distance_angstrom,
            batch_it_with_minimal_dummy=with_dummy,
        )
        for frame in frames
    ]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_each_structure_gets_its_own_prediction(
    force_field: ForceField, frames: list[Frame], batch_size: int
) -> None:
    structures = evaluate(force_field, frames, batch_size).structures
    graphs = _graphs(frames, with_dummy=True)
    for structure, frame, graph in zip(structures, frames, graphs, strict=True):
        alone = jax.device_get(force_field(graph))
        n_atoms = len(frame)
        predicted = structure.predicted
        assert predicted.forces is not None
        assert predicted.interaction_energy == pytest.approx(alone.interaction_energy[0], abs=1e-5)
        np.testing.assert_allclose(predicted.forces, alone.forces[:n_atoms], rtol=0, atol=1e-5)
        assert (predicted.stress is not None) == bool(frame.pbc.all())
        if predicted.stress is not None:
            np.testing.assert_allclose(predicted.stress, alone.stress[0], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(structure.reference.forces, frame.forces)
        assert structure.reference.energy == frame.energy
        assert structure.source == f"water.xyz:{frame.index}"


def test_equal_to_the_metrics_of_training(force_field: ForceField, frames: list[Frame]) -> None:
    (batch,) = GraphDataset(
        _graphs(frames, with_dummy=False),
        batch_size=len(frames),
        should_shuffle=False,
        atomic_energies=INFO.atomic_energies,
    )
    arrays = compute_eval_metrics(force_field(batch), batch, extended_metrics=True)
    expected = {name: float(value) for name, value in arrays.items()}
    metrics = evaluate(force_field, frames, 3).metrics
    assert metrics["forces"]["mae"] == pytest.approx(expected["mae_f"], rel=1e-5)
    assert metrics["forces"]["rmse"] ** 2 == pytest.approx(expected["mse_f"], rel=1e-5)
    assert metrics["energy"]["mae"] == pytest.approx(expected["mae_e"], rel=1e-5)
    per_atom = metrics["energy_per_atom"]
    assert per_atom["rmse"] ** 2 == pytest.approx(expected["mse_e_per_atom"], rel=1e-5)


def test_large_total_energies_lose_no_digits(force_field: ForceField, frames: list[Frame]) -> None:
    """The same data with large atomic energies give the same errors."""
    shifted_info = INFO.model_copy(
        update={"atomic_energies_map": {z: e + LARGE for z, e in INFO.atomic_energies_map.items()}}
    )
    network = PairNetwork(PairNetwork.Config(), shifted_info)
    predictor = force_field.predictor.clone(mlip_network=network)
    shifted_frames = [_shifted(frame) for frame in frames]
    shifted = evaluate(replace(force_field, predictor=predictor), shifted_frames, 4)
    plain = evaluate(force_field, frames, 4)
    assert shifted.metrics["energy"]["rmse"] == pytest.approx(
        plain.metrics["energy"]["rmse"], abs=1e-8
    )
    assert shifted.structures[0].predicted.energy == pytest.approx(3 * LARGE, rel=1e-3)


def _shifted(frame: Frame) -> Frame:
    assert frame.energy is not None
    return replace(frame, energy=frame.energy + LARGE * len(frame))


def test_a_model_with_atomic_energies_of_its_own(
    force_field: ForceField, frames: list[Frame]
) -> None:
    """Errors are those of total energies, whatever the model calls interaction energy."""
    predictor = force_field.predictor.clone(mlip_network=ZeroEnergies(PairNetwork.Config(), INFO))
    odd = evaluate(replace(force_field, predictor=predictor), frames, 4).structures
    plain = evaluate(force_field, frames, 4).structures
    for own, usual in zip(odd, plain, strict=True):
        assert own.predicted.energy is not None
        assert usual.predicted.energy is not None
        assert own.predicted.energy == pytest.approx(
            usual.predicted.energy - _free_atoms(own.atoms), abs=1e-5
        )
        assert own.predicted.interaction_energy == pytest.approx(
            own.predicted.energy - _free_atoms(own.atoms), abs=1e-9
        )


class ZeroEnergies(PairNetwork):
    """As a model whose config says that free atoms have no energy."""

    def atomic_energies(self) -> tuple[float, ...]:
        return (0.0, 0.0)


def test_streamed_into_files_or_kept_it_is_the_same(
    force_field: ForceField, frames: list[Frame], tmp_path: Path
) -> None:
    evaluation = evaluate(force_field, frames, 3)
    write_evaluation(tmp_path / "kept", evaluation)
    metrics = evaluate_to_files(tmp_path / "streamed", force_field, iter(frames), 3)
    for file in FILES:
        kept, streamed = (tmp_path / name / file for name in ("kept", "streamed"))
        assert kept.read_bytes() == streamed.read_bytes()
    assert json.loads((tmp_path / "kept" / "metrics.json").read_text()) == metrics
    assert set(metrics["by_config_type"]) == {"odd", "even"}
    assert metrics["n_parameters"] == sum(leaf.size for leaf in jax.tree.leaves(force_field.params))


def test_a_calculator_is_evaluated_as_plain_ase_uses_it(frames: list[Frame]) -> None:
    """The force field again, one structure after the other."""
    force_field = ForceField.from_mlip_network(PairNetwork(PairNetwork.Config(), INFO), seed=3)
    calculator = ForceFieldCalculator(force_field)
    some = frames[3:6]
    atomic_energies = INFO.atomic_energies_map
    one_by_one = evaluate(calculator, some, atomic_energies=atomic_energies).structures
    for found, batched in zip(one_by_one, evaluate(force_field, some).structures, strict=True):
        assert found.source == batched.source
        assert found.predicted.interaction_energy == pytest.approx(
            batched.predicted.interaction_energy, abs=1e-5
        )
        np.testing.assert_allclose(
            found.predicted.forces, batched.predicted.forces, rtol=0, atol=1e-5
        )
        assert found.reference.interaction_energy == batched.reference.interaction_energy
        assert (found.predicted.stress is not None) == bool(found.atoms.pbc.all())


def test_a_committee_is_evaluated_by_its_mean(frames: list[Frame]) -> None:
    network = PairNetwork(PairNetwork.Config(), INFO)
    members = load_committee([ForceField.from_mlip_network(network, seed=seed) for seed in (3, 4)])
    apart = [evaluate(member, frames, 4, n_resamples=0).structures for member in members]
    together = evaluate(members, frames, 4, n_resamples=0)
    for found, *each in zip(together.structures, *apart, strict=True):
        for name in ("energy", "interaction_energy", "forces"):
            values = [getattr(member.predicted, name) for member in each]
            mean = np.mean(values, axis=0)
            np.testing.assert_allclose(getattr(found.predicted, name), mean, rtol=0, atol=1e-9)
        assert found.reference.interaction_energy == each[0].reference.interaction_energy
    n_parameters = sum(leaf.size for leaf in jax.tree.leaves(members[0].params))
    assert together.metrics["n_parameters"] == 2 * n_parameters


class OtherZero(EMT):
    """EMT that counts energies from another zero: 2 eV for each H, 0.5 eV for each O."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        assert self.atoms is not None
        self.results["energy"] += 2.0 * (self.atoms.numbers == 1).sum()
        self.results["energy"] += 0.5 * (self.atoms.numbers == 8).sum()


def test_energies_from_another_zero_are_shifted(tmp_path: Path) -> None:
    labelled = [molecule(name) for name in ("H2O", "H2O2", "O3", "H2")]
    for atoms in labelled:
        atoms.calc = EMT()
        atoms.info["energy"] = atoms.get_potential_energy()
        atoms.arrays["forces"] = atoms.get_forces()
    frames = [frame_from_atoms(atoms) for atoms in labelled]
    shift = fit_energy_shift(OtherZero(), frames[:3])
    assert shift == pytest.approx({1: -2.0, 8: -0.5})
    write_energy_shift(tmp_path / "shift.json", shift)
    assert read_energy_shift(tmp_path / "shift.json") == shift
    metrics = evaluate_to_files(tmp_path, OtherZero(), frames, energy_shift=shift)
    assert metrics["energy"]["max"] < 1e-9
    assert metrics["energy_shift"] == pytest.approx({"H": -2.0, "O": -0.5})
    assert evaluate(OtherZero(), frames).metrics["energy"]["max"] > 1.0
    read = read_predictions(tmp_path / "predictions.extxyz")
    assert read[0].predicted.energy == pytest.approx(labelled[0].info["energy"])


def test_a_shift_needs_energies() -> None:
    bare = frame_from_atoms(molecule("H2O"), require=())
    with pytest.raises(UserError, match="no training structure has an energy"):
        fit_energy_shift(EMT(), [bare])


def test_a_calculator_that_fails_is_named_with_the_frame(frames: list[Frame]) -> None:
    alien = frame_from_atoms(molecule("CH3Cl"), require=(), file="gas.xyz", index=7)
    with pytest.raises(
        UserError, match=r"gas.xyz: frame 7: EMT failed \(No EMT-potential for Cl\)"
    ):
        evaluate(EMT(), [frames[0], alien])


def test_frames_without_labels_are_predicted(force_field: ForceField) -> None:
    bare = frame_from_atoms(molecule("H2O"), require=())
    evaluation = evaluate(force_field, [bare])
    assert evaluation.metrics["forces"] is None
    assert evaluation.structures[0].predicted.forces is not None


def test_unknown_element_is_a_user_error(force_field: ForceField, frames: list[Frame]) -> None:
    alien = frame_from_atoms(molecule("CH4"), require=(), file="gas.xyz", index=7)
    with pytest.raises(UserError, match=r"gas.xyz: frame 7: the model does not know C \(it"):
        evaluate(force_field, [*frames, alien])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_named_with_the_frame(
    force_field: ForceField, frames: list[Frame], value: float
) -> None:
    broken = ForceField(
        force_field.predictor, jax.tree.map(lambda leaf: leaf * value, force_field.params)
    )
    message = rf"{frames[0].place}: the predicted energy is not finite; leave the frame out of"
    with pytest.raises(UserError, match=message):
        evaluate(broken, frames)
    with pytest.raises(UserError, match=message):
        evaluate(load_committee([broken, force_field]), frames)


def test_empty_test_set_is_a_user_error(force_field: ForceField) -> None:
    with pytest.raises(UserError, match="test set is empty"):
        evaluate(force_field, [])
