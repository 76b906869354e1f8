"""What a run that starts from a trained model begins with, and that it learns from there."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from mlip_core.data.dataset_info import DatasetInfo, read_dataset_info
from mlip_core.data.frames import Frame
from mlip_core.data.shards import ShardPlan, gather, write_shards
from mlip_core.models import ForceField
from mlip_core.models.model_io import load_model
from mlip_core.study.config import load_study
from mlip_core.study.finetune import Start, make_start
from mlip_core.study.run_config import RunConfig
from mlip_core.study.train import TrainingOutputs, fingerprint, train_run
from mlip_core.study.training_data import TrainingInputs, training_set
from mlip_core.utils.errors import UserError
from tests.data.structures import copper, ethanol, frames_of, water

ZIPS = Path(__file__).parents[1] / "golden" / "zips"  # of the mlip 0.1 series; they know H, C, O
CUTOFF = 3.0


def prepare(directory: Path, frames: list[Frame]) -> TrainingInputs:
    parts = {}
    for split, share in {"train": frames[2:], "valid": frames[:2]}.items():
        plan = ShardPlan(len(share), 100)
        parts[split] = [directory / "parts" / split]
        shards = plan.of_job(0, 1)
        write_shards(parts[split][0], share, plan, shards, CUTOFF, ("energy", "forces"), False)
    gather(parts, directory)
    manifests = [str(directory / f"shards/{split}/manifest.json") for split in ("train", "valid")]
    return TrainingInputs(str(directory / "dataset_info.json"), *manifests)


@pytest.fixture(scope="module")
def waters(tmp_path_factory: pytest.TempPathFactory) -> TrainingInputs:
    return prepare(tmp_path_factory.mktemp("water"), frames_of([water(i) for i in range(8)]))


@pytest.fixture(scope="module")
def ethanols(tmp_path_factory: pytest.TempPathFactory) -> TrainingInputs:
    return prepare(tmp_path_factory.mktemp("ethanol"), frames_of([ethanol(i) for i in range(12)]))


def make_run(start: str | Path = ZIPS / "mace.zip", **changes: Any) -> RunConfig:
    """A run as a study with only this run has it."""
    source = {"files": ["some.xyz"]}
    datasets = {
        name: {"source": source, "split": {}, "graph": {"graph_cutoff_angstrom": CUTOFF}}
        for name in ("water", "ethanol")
    }
    training = {"num_epochs": 2}
    written = {"dataset": "water", "init_from": str(start), "training": training, "batch_size": 3}
    study = load_study({"datasets": datasets, "runs": {"tuned": written | changes}})
    return study.run_config("tuned")


def started(run: RunConfig, inputs: TrainingInputs, **more: str) -> Start:
    files = TrainingInputs(**{**vars(inputs), "start": run.init_from, **more})
    return make_start(run, files, read_dataset_info(inputs.dataset_info), seed=7)


def predict(force_field: ForceField, inputs: TrainingInputs) -> tuple[np.ndarray, np.ndarray]:
    """Energies relative to the reference, and forces, of the training set."""
    info = force_field.dataset_info
    (batch,) = training_set(inputs, info, make_run(batch_size=6), seed=None).epoch(0)
    result = force_field(batch)
    errors = np.asarray(result.interaction_energy) - np.asarray(batch.globals.interaction_energy)
    return errors[:-1], np.asarray(result.forces)


@pytest.mark.parametrize("architecture", ["mace", "nequip", "visnet"])
def test_training_starts_from_the_function_of_the_zip(
    architecture: str, waters: TrainingInputs
) -> None:
    source = load_model(ZIPS / f"{architecture}.zip")
    for elements, known in (("model", {1, 6, 8}), ("dataset", {1, 8})):
        run = make_run(ZIPS / f"{architecture}.zip", finetune={"elements": elements})
        begun = started(run, waters).force_field
        assert begun.allowed_atomic_numbers == known
        errors, forces = predict(begun, waters)
        off, expected = predict(source, waters)
        np.testing.assert_allclose(forces, expected, atol=2e-5)
        assert np.abs(off).max() > 100  # the zip was made for another level of theory
        np.testing.assert_allclose(errors, off - off.mean(), atol=1e-2)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("model", [-13.5, -1029.25, -2042.75]), ("dataset", [None, -1029.25, None])],
)
def test_atomic_energies_are_those_asked_for(
    choice: str, expected: list[float | None], waters: TrainingInputs
) -> None:
    info: DatasetInfo = started(
        make_run(finetune={"atomic_energies": choice}), waters
    ).force_field.dataset_info
    of_dataset = read_dataset_info(waters.dataset_info).atomic_energies_map
    wanted = {
        z: of_dataset[z] if energy is None else energy
        for z, energy in zip((1, 6, 8), expected, strict=True)
    }
    assert info.atomic_energies_map == wanted


def test_an_element_that_the_model_lacks_is_an_error(tmp_path: Path) -> None:
    inputs = prepare(tmp_path, frames_of([copper(i) for i in range(3)]))
    with pytest.raises(UserError, match=r"mace.zip does not know Cu, .* \(it knows H, C, O\)"):
        started(make_run(), inputs)


@pytest.mark.parametrize(
    ("start", "model", "trainable", "blocks"),
    [
        ("mace", {}, "all", None),
        ("mace", {}, "heads", ["NonLinearReadoutBlock_0"]),
        ("mace", {"num_readout_heads": 2}, "heads", ["NonLinearReadoutBlock_1"]),
        ("mace", {}, ["InteractionBlock_0"], ["InteractionBlock_0"]),
        ("nequip", {}, "heads", ["NequipBlock_0/Linear_1", "NequipBlock_0/Linear_2"]),
        ("visnet", {}, "heads", ["EquivariantScalar_0"]),
    ],
)
def test_only_what_is_asked_for_changes(
    start: str, model: dict[str, Any], trainable: Any, blocks: Any, waters: TrainingInputs
) -> None:
    import optax

    run = make_run(ZIPS / f"{start}.zip", model=model, finetune={"trainable": trainable})
    begun = started(run, waters)
    assert begun.trained_blocks == blocks
    params = begun.force_field.params
    optimizer = begun.masked(optax.sgd(1.0))
    updates, _ = optimizer.update(jax.tree.map(np.ones_like, params), optimizer.init(params))
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        joined = "/".join(key.key for key in path)
        is_trained = blocks is None or any(f"/{block}/" in joined for block in blocks)
        np.testing.assert_array_equal(update, -1.0 if is_trained else 0.0)


def test_new_heads_start_small(waters: TrainingInputs) -> None:
    _, before = predict(load_model(ZIPS / "mace.zip"), waters)
    differences = []
    for scale in (0.0, 0.1, 1.0):
        run = make_run(
            ZIPS / "mace.zip",
            model={"num_readout_heads": 2},
            finetune={"new_heads_scale": scale, "trainable": "heads"},
        )
        _, forces = predict(started(run, waters).force_field, waters)
        differences.append(np.abs(forces - before).max())
    assert differences[0] < 1e-5 < differences[1] < 0.1 * differences[2]


def test_replay_mixes_in_a_share_of_the_earlier_dataset(
    waters: TrainingInputs, ethanols: TrainingInputs
) -> None:
    replay = {"replay": {"dataset": "ethanol", "share": 0.4}}
    run = make_run(finetune=replay | {"elements": "dataset"})
    begun = started(run, waters, replay=ethanols.train)
    assert begun.force_field.allowed_atomic_numbers == {1, 6, 8}  # C from the replayed dataset
    inputs = TrainingInputs(**{**vars(waters), "replay": ethanols.train})
    mixed = training_set(inputs, begun.force_field.dataset_info, run, seed=3)
    sizes = sorted(int(graph.n_node[0]) for graph in mixed.graphs)
    assert sizes == [3] * 6 + [9] * 4
    with_both = [
        sum(9 in batch.n_node[:-1] and 3 in batch.n_node[:-1] for batch in mixed.epoch(epoch))
        for epoch in range(3)
    ]
    assert sum(with_both) > 0  # shuffled together
    more = make_run(finetune={"replay": {"dataset": "ethanol", "share": 0.8}})
    with pytest.raises(UserError, match=r"0.8 beside 6 structures is 24, .* of ethanol has 10; lo"):
        training_set(inputs, begun.force_field.dataset_info, more, seed=3)


def outputs_in(directory: Path) -> TrainingOutputs:
    names = {
        "model": "model.zip",
        "config": "run/config.yaml",
        "metrics": "run/metrics.csv",
        "timing": "run/timing.csv",
        "provenance": "run/provenance.json",
    }
    return TrainingOutputs(**{key: str(directory / name) for key, name in names.items()})


def test_heads_are_trained_replayed_resumed_and_nothing_else_changes(
    waters: TrainingInputs, ethanols: TrainingInputs, tmp_path: Path
) -> None:
    finetune = {"trainable": "heads", "replay": {"dataset": "ethanol", "share": 0.25}}
    files = {"start": str(ZIPS / "mace.zip"), "replay": ethanols.train}
    inputs = TrainingInputs(**{**vars(waters), **files})
    longer, shorter = (
        make_run(finetune=finetune, training={"num_epochs": n_epochs}) for n_epochs in (4, 2)
    )
    whole, parted = outputs_in(tmp_path / "whole"), outputs_in(tmp_path / "parted")
    train_run(longer, inputs, whole)
    train_run(shorter, inputs, parted)
    train_run(longer, inputs, parted)  # goes on from the second epoch
    assert Path(parted.model).read_bytes() == Path(whole.model).read_bytes()
    losses = pd.read_csv(whole.metrics)["train_loss"].dropna()
    assert losses.iloc[-1] < losses.iloc[0]

    source, tuned = load_model(ZIPS / "mace.zip"), load_model(whole.model)
    changes = jax.tree_util.tree_map(
        lambda a, b: float(np.abs(a - b).max()), source.params, tuned.params
    )
    for path, change in jax.tree_util.tree_leaves_with_path(changes):
        if "NonLinearReadoutBlock_0" in jax.tree_util.keystr(path):
            assert change > 1e-4
        else:
            assert change < 1e-5  # the average over steps of what does not change
    said = json.loads(Path(whole.provenance).read_text())["start"]
    assert said["trained_blocks"] == ["NonLinearReadoutBlock_0"]
    assert said["atomic_energies_ev"].keys() == {"H", "C", "O"}


def test_another_start_is_another_training(waters: TrainingInputs, tmp_path: Path) -> None:
    run = make_run()
    copy = tmp_path / "copy.zip"
    copy.write_bytes((ZIPS / "mace.zip").read_bytes())
    named, moved, other = (
        fingerprint(make_run(path), TrainingInputs(**{**vars(waters), "start": str(path)}).paths)
        for path in (ZIPS / "mace.zip", copy, ZIPS / "visnet.zip")
    )
    assert named == moved
    assert len({named, other, fingerprint(run, waters.paths)}) == 3
