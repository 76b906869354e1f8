import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jraph
import numpy as np
import pytest
from safetensors.numpy import save_file

from mlip_core.data.dataset_info import DatasetInfo, read_dataset_info
from mlip_core.data.frames import Frame, frame_from_atoms
from mlip_core.data.helpers import AtomicNumberTable, GraphDataset
from mlip_core.data.helpers.atomic_energies import fit_atomic_energies
from mlip_core.data.helpers.neighbor_analysis import (
    compute_avg_min_neighbor_distance,
    compute_avg_num_neighbors,
)
from mlip_core.data.shards import (
    ShardPlan,
    gather,
    load_graph_dataset,
    read_manifest,
    read_shard,
    shard_name,
    write_shard,
    write_shards,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest
from tests.data.structures import copper, ethanol, frames_of, graph_of, water

CUTOFF = 3.0


def mixed_frames() -> list[Frame]:
    makers = [ethanol, water, copper, ethanol, water, copper, ethanol]
    return frames_of([make(seed) for seed, make in enumerate(makers)])


def prepare(
    directory: Path,
    splits: dict[str, list[Frame]],
    per_shard: int = 100,
    n_jobs: int = 1,
    labels: tuple[str, ...] = ("energy", "forces"),
    missing_labels: bool = False,
    **options: Any,
) -> DatasetInfo:
    """Write shards of all splits, gather; returns the dataset info."""
    parts = {}
    for name, frames in splits.items():
        plan = ShardPlan(len(frames), per_shard)
        parts[name] = [directory / "parts" / name / str(job) for job in range(n_jobs)]
        for job, part in enumerate(parts[name]):
            shards = plan.of_job(job, n_jobs)
            share = frames[slice(*plan.structures(shards))]
            write_shards(part, share, plan, shards, CUTOFF, labels, missing_labels)
    return gather(parts, directory, **options)


def manifest_path(directory: Path, split: str = "train") -> Path:
    return directory / "shards" / split / "manifest.json"


def graphs_of(frames: list[Frame]) -> list[jraph.GraphsTuple]:
    return [graph_of(f.atoms, CUTOFF, energy=f.energy, forces=f.forces) for f in frames]


@pytest.mark.parametrize("per_shard", [1, 3, 10])
def test_batches_from_shards_are_those_from_memory(tmp_path: Path, per_shard: int) -> None:
    frames = mixed_frames()
    info = prepare(tmp_path, {"train": frames}, per_shard)
    options: dict[str, Any] = {"batch_size": 3, "seed": 5, "dtype": np.float64}
    loaded = load_graph_dataset(manifest_path(tmp_path), info, **options)
    in_memory = GraphDataset(graphs_of(frames), atomic_energies=info.atomic_energies, **options)
    assert loaded.shape == in_memory.shape
    for epoch in range(2):
        pairs = zip(loaded.epoch(epoch), in_memory.epoch(epoch), strict=True)
        for one, other in pairs:
            jax.tree.map(np.testing.assert_array_equal, one.edges.blocks, other.edges.blocks)
            np.testing.assert_array_equal(one.nodes.positions, other.nodes.positions)
            np.testing.assert_array_equal(one.nodes.species, other.nodes.species)
            np.testing.assert_array_equal(one.nodes.forces, other.nodes.forces)
            np.testing.assert_array_equal(one.senders, other.senders)
            np.testing.assert_array_equal(one.receivers, other.receivers)
            np.testing.assert_array_equal(one.edges.shifts, other.edges.shifts)
            np.testing.assert_array_equal(one.globals.cell, other.globals.cell)
            np.testing.assert_array_equal(one.globals.energy, other.globals.energy)
            np.testing.assert_allclose(
                one.globals.interaction_energy, other.globals.interaction_energy, atol=1e-12
            )


def test_graphs_and_subsets_from_shards(tmp_path: Path) -> None:
    frames = mixed_frames()
    info = prepare(tmp_path, {"train": frames}, 3)
    dataset = load_graph_dataset(manifest_path(tmp_path), info, 2)
    for graph, expected in zip(dataset.graphs, graphs_of(frames), strict=True):
        np.testing.assert_array_equal(graph.nodes.positions, expected.nodes.positions)
        np.testing.assert_array_equal(graph.nodes.species, expected.nodes.species)
        np.testing.assert_array_equal(graph.senders, expected.senders)
        assert graph.senders.dtype == graph.edges.shifts.dtype == np.int32
    assert dataset.subset([4, 1]).graphs[0].globals.energy == frames[4].energy


def test_stress(tmp_path: Path) -> None:
    frames = frames_of([copper(0), copper(1)], stress=True)
    info = prepare(tmp_path, {"train": frames}, labels=("energy", "forces", "stress"))
    dataset = load_graph_dataset(
        manifest_path(tmp_path), info, 2, should_shuffle=False, dtype=np.float64
    )
    (batch,) = dataset
    np.testing.assert_array_equal(batch.globals.stress[:2], [frame.stress for frame in frames])


def test_statistics_are_those_of_the_training_graphs(tmp_path: Path) -> None:
    frames = mixed_frames()
    info = prepare(tmp_path, {"train": frames, "test": frames[:3]}, 2)
    graphs = graphs_of(frames)
    assert info.cutoff_distance_angstrom == CUTOFF
    assert list(info.atomic_energies_map) == [1, 6, 8, 29]
    assert info.avg_num_neighbors == compute_avg_num_neighbors(graphs)
    r_min = compute_avg_min_neighbor_distance(graphs)
    assert info.avg_r_min_angstrom == pytest.approx(r_min, rel=1e-15)
    table = AtomicNumberTable([1, 6, 8, 29])
    counts = np.array([np.bincount(table.species(f.atoms.numbers), minlength=4) for f in frames])
    expected = fit_atomic_energies(counts, np.array([f.energy for f in frames]), "HCOu")
    np.testing.assert_array_equal(info.atomic_energies, expected)
    assert read_dataset_info(tmp_path / "dataset_info.json") == info
    forces = np.concatenate([frame.forces for frame in frames])
    manifest = read_manifest(manifest_path(tmp_path))
    rms = manifest["statistics"]["force_rms_ev_per_angstrom"]
    assert rms == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-14)


def files_in(directory: Path) -> dict[str, bytes]:
    """All files of a prepared dataset but those of single jobs."""
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    names = {str(path.relative_to(directory)): path for path in paths}
    return {n: path.read_bytes() for n, path in names.items() if not n.startswith("parts")}


def test_number_of_jobs_changes_no_byte(tmp_path: Path) -> None:
    frames = mixed_frames()
    splits = {"train": frames, "valid": frames[:2]}
    for n_jobs in (1, 3, 8):
        prepare(tmp_path / str(n_jobs), splits, per_shard=2, n_jobs=n_jobs)
    one, three, eight = (files_in(tmp_path / n_jobs) for n_jobs in ("1", "3", "8"))
    assert len(one) == 1 + (1 + 4) + (1 + 1)
    assert one == three == eight


def test_size_of_shards_changes_no_statistics(tmp_path: Path) -> None:
    frames = mixed_frames()
    manifests = []
    for per_shard in (1, 3, 7, 9):
        directory = tmp_path / str(per_shard)
        info = prepare(directory, {"train": frames}, per_shard, energy_scale="force_rms")
        manifest = read_manifest(manifest_path(directory))
        assert len(manifest.pop("shards")) == -(-7 // per_shard)
        manifests.append((info, manifest))
    assert all(other == manifests[0] for other in manifests)


def test_shards_of_an_earlier_preparation_are_removed(tmp_path: Path) -> None:
    frames = mixed_frames()
    old, new = tmp_path / "old", tmp_path / "new"
    prepare(old, {"train": frames}, per_shard=1)
    prepare(new, {"train": frames[:3]}, per_shard=2)
    gather({"train": [new / "parts" / "train" / "0"]}, old)
    names = [path.name for path in (old / "shards" / "train").glob("shard-*")]
    assert sorted(names) == [shard_name(0, 2), shard_name(1, 2)]
    assert files_in(old) == files_in(new)


def test_missing_shards_are_named(tmp_path: Path) -> None:
    prepare(tmp_path, {"train": mixed_frames()}, per_shard=2, n_jobs=2)
    parts = sorted((tmp_path / "parts" / "train").iterdir())
    with pytest.raises(UserError, match=shard_name(0, 4)):
        gather({"train": parts[1:]}, tmp_path / "again")


def test_fingerprint_follows_content(tmp_path: Path) -> None:
    def fingerprint(name: str, frames: list[Frame], **options: Any) -> str:
        prepare(tmp_path / name, {"train": frames}, **options)
        return read_manifest(manifest_path(tmp_path / name))["fingerprint"]

    frames = frames_of([water(0), water(1), ethanol(0)])
    atoms = frames[0].atoms.copy()
    atoms.info |= {"energy": frames[0].energy + 1e-6, "forces": frames[0].forces}
    fingerprints = {
        fingerprint("a", frames),
        fingerprint("b", [frame_from_atoms(atoms), *frames[1:]]),
        fingerprint("c", frames[::-1]),
        fingerprint("d", frames, labels=("energy",)),
    }
    assert len(fingerprints) == 4


def test_jobs_make_everything_once() -> None:
    for n_structures, per_shard, n_jobs in ((10, 3, 3), (2, 1, 5), (0, 4, 2)):
        plan = ShardPlan(n_structures, per_shard)
        shards = [plan.of_job(job, n_jobs) for job in range(n_jobs)]
        assert [shard for part in shards for shard in part] == list(range(plan.n_shards))
        ends = [plan.structures(part) for part in shards]
        structures = [index for first, last in ends for index in range(first, last)]
        assert structures == list(range(n_structures))


def test_given_statistics_are_used(tmp_path: Path) -> None:
    energies = {"H": -1.0, "O": -2.0, "C": -3.0, "Cu": -4.0, "Au": -9.0}
    info = prepare(
        tmp_path,
        {"train": mixed_frames()},
        atomic_energies=energies,
        avg_num_neighbors=7.0,
        avg_r_min_angstrom=0.5,
    )
    assert info == DatasetInfo(
        atomic_energies_map={1: -1.0, 6: -3.0, 8: -2.0, 29: -4.0},
        cutoff_distance_angstrom=CUTOFF,
        avg_num_neighbors=7.0,
        avg_r_min_angstrom=0.5,
    )


@pytest.mark.parametrize(
    ("splits", "options", "message"),
    [
        ({"train": []}, {}, "the training set is empty"),
        (
            {"train": frames_of([water(0)]), "test": frames_of([ethanol(0)])},
            {},
            "test has C, which no training frame has",
        ),
        (
            {"train": frames_of([water(0)])},
            {"atomic_energies": {"H": -1.0}},
            "no energy for O",
        ),
        (
            {"train": frames_of([water(0)])},
            {"atomic_energies": {"H": -1.0, "0": -1.0}},
            'unknown element "0"',
        ),
        (
            {"train": frames_of([water(0)])},
            {"labels": ("forces",)},
            "the dataset has no energies",
        ),
        (
            {"train": frames_of([water(0)])},
            {"labels": ("energy",), "energy_scale": "force_rms"},
            "force_rms needs forces",
        ),
    ],
)
def test_mistakes_in_datasets(
    tmp_path: Path, splits: dict[str, list[Frame]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(tmp_path, splits, **options)


def test_frame_without_a_label_is_named(tmp_path: Path) -> None:
    frame = frame_from_atoms(ethanol(0), require=(), file="my.xyz", index=4)
    with pytest.raises(UserError, match=r"my\.xyz: frame 4: no energy"):
        write_shard(tmp_path / "a.safetensors", [frame], CUTOFF)


def test_shards_of_different_cutoffs_do_not_mix(tmp_path: Path) -> None:
    parts = [tmp_path / "0", tmp_path / "1"]
    for index, cutoff in enumerate((3.0, 4.0)):
        write_shards(parts[index], frames_of([water(0)]), ShardPlan(2, 1), [index], cutoff)
    with pytest.raises(UserError, match=r"made with cutoff_angstrom 4\.0"):
        gather({"train": parts}, tmp_path)


def test_damaged_shard_of_a_job_is_refused(tmp_path: Path) -> None:
    part = tmp_path / "part"
    write_shards(part, frames_of([water(0)]), ShardPlan(1, 1), [0], CUTOFF)
    shard = part / shard_name(0, 1)
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=r"missing or damaged; remove .*part/shards\.json and"):
        gather({"train": [part]}, tmp_path)
    shard.unlink()
    with pytest.raises(UserError, match=r"missing or damaged; remove .*part/shards\.json and"):
        gather({"train": [part]}, tmp_path)
    (part / "shards.json").write_text("{")
    with pytest.raises(UserError, match=r"shards\.json: missing or damaged; remove .*part and"):
        gather({"train": [part]}, tmp_path)


def test_missing_labels_are_masked(tmp_path: Path) -> None:
    frames = frames_of([copper(0), copper(1), copper(2)], stress=True)
    frames[1] = replace(frames[1], energy=None, stress=None)
    frames[2] = replace(frames[2], forces=None)
    labels = ("energy", "forces", "stress")
    energies = {"Cu": -1.0}
    options = {"labels": labels, "missing_labels": True, "atomic_energies": energies}
    info = prepare(tmp_path, {"train": frames}, 2, energy_scale="force_rms", **options)
    forces = np.concatenate([frame.forces for frame in frames[:2]])
    assert info.scaling_stdev == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-14)
    manifest = read_manifest(manifest_path(tmp_path))
    assert manifest["n_labelled"] == {"energy": 2, "forces": 2, "stress": 2}
    dataset = load_graph_dataset(
        manifest_path(tmp_path), info, 3, should_shuffle=False, dtype=np.float64
    )
    (batch,) = dataset
    assert batch.globals.has_energy.tolist() == [1, 0, 1, 0]
    assert batch.globals.has_forces.tolist() == [1, 1, 0, 0]
    assert batch.globals.has_stress.tolist() == [1, 0, 1, 0]
    assert batch.globals.energy.tolist() == [frames[0].energy, 0, frames[2].energy, 0]
    assert batch.globals.interaction_energy[1] == 0
    np.testing.assert_array_equal(batch.nodes.forces[:16], forces)
    assert not batch.nodes.forces[16:].any()
    assert not batch.globals.stress[1].any()
    assert [graph.globals.energy is None for graph in dataset.graphs] == [False, True, False]
    complete = dataset.subset([0])
    assert next(iter(complete)).globals.has_energy is not None, "subsets have the same structure"


def test_complete_labels_need_no_masks(prepared: tuple[Path, Path, DatasetInfo]) -> None:
    manifest, _, info = prepared
    batch = next(iter(load_graph_dataset(manifest, info, 2)))
    assert batch.globals.has_energy is batch.globals.has_forces is batch.globals.has_stress is None


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, Path, DatasetInfo]:
    info = prepare(tmp_path, {"train": mixed_frames()})
    manifest = manifest_path(tmp_path)
    return manifest, manifest.parent / shard_name(0, 1), info


def test_changed_byte_is_found(prepared: tuple[Path, Path, DatasetInfo]) -> None:
    manifest, shard, info = prepared
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=f"{shard.name}: the shard is damaged"):
        load_graph_dataset(manifest, info, 2)


@pytest.mark.parametrize("length", [0, 4, 300, -1])
def test_truncated_file_is_found_also_without_checksum(
    prepared: tuple[Path, Path, DatasetInfo], length: int
) -> None:
    _, shard, _ = prepared
    shard.write_bytes(shard.read_bytes()[:length])
    with pytest.raises(UserError, match="not a readable shard"):
        read_shard(shard)


def test_foreign_files_are_refused(
    prepared: tuple[Path, Path, DatasetInfo], tmp_path: Path
) -> None:
    manifest, shard, info = prepared
    save_file({"a": np.zeros(3)}, shard)
    with pytest.raises(UserError, match="another kind of file"):
        read_shard(shard)
    shard.write_text("something else")
    with pytest.raises(UserError, match="not a readable shard"):
        read_shard(shard)
    manifest.write_text(json.dumps({"format": "else"}))
    with pytest.raises(UserError, match="not a manifest of shards"):
        load_graph_dataset(manifest, info, 2)
    manifest.write_text("{")
    with pytest.raises(UserError, match="not a manifest"):
        load_graph_dataset(manifest, info, 2)


def test_missing_files_are_named(prepared: tuple[Path, Path, DatasetInfo]) -> None:
    manifest, shard, info = prepared
    shard.unlink()
    with pytest.raises(UserError, match=f"{shard.name}: no such file"):
        load_graph_dataset(manifest, info, 2)
    manifest.unlink()
    with pytest.raises(UserError, match=r"manifest\.json: no such file"):
        load_graph_dataset(manifest, info, 2)


def test_dataset_info_of_another_dataset_is_refused(
    prepared: tuple[Path, Path, DatasetInfo],
) -> None:
    manifest, _, info = prepared
    other_cutoff = info.model_copy(update={"cutoff_distance_angstrom": 5.0})
    with pytest.raises(UserError, match=r"cutoff of 3\.0 Å"):
        load_graph_dataset(manifest, other_cutoff, 2)
    fewer = info.model_copy(update={"atomic_energies_map": {1: 0.0, 6: 0.0, 8: 0.0}})
    with pytest.raises(UserError, match="has Cu"):
        load_graph_dataset(manifest, fewer, 2)


def test_newer_version_is_refused(prepared: tuple[Path, Path, DatasetInfo]) -> None:
    manifest, shard, info = prepared
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"version": 9}))
    with pytest.raises(UserError, match="version 9"):
        load_graph_dataset(manifest, info, 2)
    shard.write_bytes(shard.read_bytes().replace(b'version\\": 2', b'version\\": 9'))
    with pytest.raises(UserError, match="version 9"):
        read_shard(shard)


def test_directory_can_be_moved(prepared: tuple[Path, Path, DatasetInfo], tmp_path: Path) -> None:
    manifest, _, info = prepared
    moved = Path(shutil.move(manifest.parent, tmp_path / "elsewhere"))
    assert load_graph_dataset(moved / "manifest.json", info, 2).num_graphs == 7


def test_empty_split(tmp_path: Path) -> None:
    info = prepare(tmp_path, {"train": mixed_frames(), "valid": []}, 2)
    dataset = load_graph_dataset(manifest_path(tmp_path, "valid"), info, 4)
    assert dataset.num_graphs == len(dataset) == 0


def test_manifest_says_what_is_there(prepared: tuple[Path, Path, DatasetInfo]) -> None:
    manifest, shard, _ = prepared
    content = read_manifest(manifest)
    assert content["n_structures"] == 7
    assert content["n_nodes"] == 3 * 9 + 2 * 3 + 2 * 8
    assert content["max_nodes"] == 9
    assert content["elements"] == ["H", "C", "O", "Cu"]
    (entry,) = content["shards"]
    assert entry["file"] == shard.name
    assert entry["sha256"] == file_digest(shard)
    assert entry["bytes"] == shard.stat().st_size
    assert entry["n_structures"] == 7


def test_reading_copies_nothing_and_gives_pages_back(
    prepared: tuple[Path, Path, DatasetInfo],
) -> None:
    _, path, _ = prepared
    shard = read_shard(path)
    for array in shard.segment.arrays().values():
        base = array
        while isinstance(base, np.ndarray) and base.base is not None:
            base = base.base
        assert memoryview(base).obj is shard.mapping
        assert not array.flags.writeable
    before = shard.segment.positions.copy()
    shard.release()
    np.testing.assert_array_equal(shard.segment.positions, before)


def test_large_datasets_are_released_while_they_are_read(
    prepared: tuple[Path, Path, DatasetInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, _, info = prepared
    monkeypatch.setattr("mlip_core.data.shards.loading._KEPT_BYTES", 0)
    monkeypatch.setattr("mlip_core.data.helpers.graph_dataset._RELEASED_AFTER", 2)
    released = load_graph_dataset(manifest, info, 2)
    monkeypatch.undo()
    kept = load_graph_dataset(manifest, info, 2)
    for one, other in zip(released.epoch(3), kept.epoch(3), strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)
