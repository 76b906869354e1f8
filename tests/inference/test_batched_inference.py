"""Predictions of streams, against the force field called on one structure at a time."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mlip_core.data import ChemicalSystem
from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.helpers import create_graph_from_chemical_system
from mlip_core.data.shards import ShardPlan, gather, write_shards
from mlip_core.inference import iterate_predictions, run_batched_inference
from mlip_core.models import ForceField
from mlip_core.reference import write_extxyz
from mlip_core.utils.errors import UserError
from tests.training.tiny import INFO, PairNetwork


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    network = PairNetwork(PairNetwork.Config(), INFO)
    return ForceField.from_mlip_network(network, predict_stress=True, seed=3)


def make_atoms(index: int) -> Atoms:
    """Molecules and small crystals of 1 to 24 atoms."""
    rng = np.random.default_rng(index)
    atoms = molecule(("H2O", "H2O2", "O3", "H")[index % 4])
    if index % 5 == 0:
        atoms = Atoms("OH2", rng.uniform(0, 3, (3, 3)), cell=[3.4, 3.0, 3.7], pbc=True)
        atoms *= (1 + index % 2, 2, 2)
    atoms.positions += rng.normal(scale=0.1, size=atoms.positions.shape)
    return atoms


def make_frame(index: int) -> Frame:
    atoms = make_atoms(index)
    rng = np.random.default_rng(index)
    atoms.info["energy"] = rng.normal() - 1.5 * len(atoms)
    atoms.arrays["forces"] = rng.normal(size=(len(atoms), 3))
    return frame_from_atoms(atoms, file="mixed.xyz", index=index)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [make_frame(index) for index in range(75)]


@pytest.fixture(scope="module")
def expected(force_field: ForceField, frames: list[Frame]) -> list[tuple[float, np.ndarray]]:
    """Interaction energies and forces."""
    return [alone(force_field, frame) for frame in frames[:3]]


def alone(force_field: ForceField, frame: Frame) -> tuple[float, np.ndarray]:
    system = ChemicalSystem(
        atomic_numbers=frame.numbers,
        atomic_species=np.searchsorted([1, 8], frame.numbers),
        positions=frame.positions,
        cell=frame.cell,
        pbc=tuple(frame.pbc.tolist()),
    )
    graph = create_graph_from_chemical_system(system, 3.0, batch_it_with_minimal_dummy=True)
    prediction = jax.device_get(force_field(graph))
    return float(prediction.interaction_energy[0]), prediction.forces[: len(frame)]


def test_each_frame_comes_back_in_its_place(
    force_field: ForceField, frames: list[Frame], expected: list[tuple[float, np.ndarray]]
) -> None:
    """Through three windows of 32 structures."""
    predicted = list(iterate_predictions(force_field, iter(frames), batch_size=1))
    assert [frame.index for frame, _ in predicted] == list(range(75))
    for (frame, values), (energy, forces) in zip(predicted[:3], expected, strict=True):
        assert values.interaction_energy == pytest.approx(energy, abs=1e-5)
        free_atoms = sum(INFO.atomic_energies_map[int(z)] for z in frame.numbers)
        assert values.energy == pytest.approx(energy + free_atoms, abs=1e-5)
        np.testing.assert_allclose(values.forces, forces, rtol=0, atol=1e-5)
    for batch_size in (7, 100):
        others = list(iterate_predictions(force_field, frames, batch_size))
        for (_, one), (_, other) in zip(predicted, others, strict=True):
            assert one.energy == pytest.approx(other.energy, abs=1e-5)
            np.testing.assert_allclose(one.forces, other.forces, rtol=0, atol=1e-5)
            if one.stress is not None:
                np.testing.assert_allclose(one.stress, other.stress, rtol=0, atol=1e-6)


def test_a_stream_is_read_as_it_is_used(force_field: ForceField) -> None:
    """However long it is, a few windows of it are in memory."""
    read = 0

    def endless() -> Iterator[Frame]:
        nonlocal read
        while True:
            yield make_frame(4 * read % 60 + 1)
            read += 1

    predictions = iterate_predictions(force_field, endless(), batch_size=1)
    for _ in range(200):
        next(predictions)
    assert read < 200 + 5 * 32
    predictions.close()


def test_files_and_shards_give_what_frames_give(
    force_field: ForceField, frames: list[Frame], tmp_path: Path
) -> None:
    expected = [values.energy for _, values in iterate_predictions(force_field, frames)]
    write_extxyz(tmp_path / "frames.xyz", [frame.atoms for frame in frames])
    plan = ShardPlan(len(frames), 40)
    write_shards(tmp_path / "part", frames, plan, range(2), 3.0)
    gather({"train": [tmp_path / "part"]}, tmp_path / "prepared")
    shards = tmp_path / "prepared" / "shards" / "train"
    for source in (tmp_path / "frames.xyz", shards, str(shards / "manifest.json")):
        predicted = list(iterate_predictions(force_field, source))
        assert [values.energy for _, values in predicted] == pytest.approx(expected, abs=1e-5)
    frame, _ = predicted[41]
    assert frame.place.endswith("shard-00001-of-00002.safetensors: frame 1")
    assert frame.energy == frames[41].energy
    np.testing.assert_array_equal(frame.forces, frames[41].forces)
    np.testing.assert_array_equal(frame.pbc, frames[41].pbc)


def test_shards_with_another_cutoff_are_refused(
    force_field: ForceField, frames: list[Frame], tmp_path: Path
) -> None:
    write_shards(tmp_path / "part", frames, ShardPlan(len(frames), 100), range(1), 2.5)
    gather({"train": [tmp_path / "part"]}, tmp_path)
    with pytest.raises(UserError, match=r"manifest.json: graphs with a cutoff of 2.5 Å, but"):
        list(iterate_predictions(force_field, tmp_path / "shards" / "train"))


def test_as_in_the_api(force_field: ForceField, frames: list[Frame]) -> None:
    structures = [make_atoms(index) for index in range(10)]
    predictions = run_batched_inference(structures, force_field, 4, max_n_node=20, max_n_edge=300)
    for prediction, (frame, values) in zip(
        predictions, iterate_predictions(force_field, frames[:10]), strict=True
    ):
        assert type(prediction.energy) is float
        assert prediction.energy == pytest.approx(values.energy, abs=1e-5)
        assert prediction.forces.shape == (len(frame), 3)
        if not frame.pbc.all():
            assert prediction.stress is prediction.pressure is None
            continue
        assert prediction.stress.shape == (3, 3)
        assert prediction.pressure == pytest.approx(-np.trace(prediction.stress) / 3)


def test_no_stress_where_the_model_predicts_none(frames: list[Frame]) -> None:
    network = PairNetwork(PairNetwork.Config(), INFO)
    force_field = ForceField.from_mlip_network(network, predict_stress=False, seed=3)
    (frame, values), *_ = iterate_predictions(force_field, frames[:2])
    assert frame.pbc.all()
    assert values.stress is None


def test_nothing_gives_nothing(force_field: ForceField) -> None:
    assert run_batched_inference([], force_field) == []


def test_unknown_element_is_named_with_its_frame(
    force_field: ForceField, frames: list[Frame]
) -> None:
    alien = frame_from_atoms(molecule("CH4"), require=(), file="gas.xyz", index=7)
    with pytest.raises(UserError, match=r"gas.xyz: frame 7: the model does not know C \(it knows"):
        list(iterate_predictions(force_field, [*frames, alien], batch_size=1))


def test_cell_in_a_wrong_unit_is_named_with_its_frame(force_field: ForceField) -> None:
    tiny = Atoms("H", cell=[0.02, 10.0, 10.0], pbc=True)
    frame = frame_from_atoms(tiny, require=(), file="tiny.xyz", index=2)
    with pytest.raises(UserError, match=r"tiny.xyz: frame 2: a cell vector is far smaller than"):
        list(iterate_predictions(force_field, [frame]))


def test_bar_on_request(
    force_field: ForceField, frames: list[Frame], capsys: pytest.CaptureFixture[str]
) -> None:
    run_batched_inference([make_atoms(1)] * 3, force_field)
    assert capsys.readouterr().err == ""
    list(iterate_predictions(force_field, frames, progress=True))
    assert "75/75" in capsys.readouterr().err
