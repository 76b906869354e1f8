import json
import shutil
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
    gather,
    load_graph_dataset,
    read_manifest,
    read_shard,
    shard_name,
    shard_slice,
    write_shard,
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
    n_shards: int = 1,
    labels: tuple[str, ...] = ("energy", "forces"),
    **options: Any,
) -> DatasetInfo:
    """Write shards of all splits, gather; returns the dataset info."""
    paths = {}
    for name, frames in splits.items():
        paths[name] = [directory / name / shard_name(index, n_shards) for index in range(n_shards)]
        for index, path in enumerate(paths[name]):
            write_shard(path, frames[shard_slice(len(frames), index, n_shards)], CUTOFF, labels)
    return gather(paths, directory / "dataset_info.json", **options)


def graphs_of(frames: list[Frame]) -> list[jraph.GraphsTuple]:
    return [graph_of(f.atoms, CUTOFF, energy=f.energy, forces=f.forces) for f in frames]


@pytest.mark.parametrize("n_shards", [1, 2, 5])
def test_batches_from_shards_are_those_from_memory(tmp_path: Path, n_shards: int) -> None:
    frames = mixed_frames()
    info = prepare(tmp_path, {"train": frames}, n_shards)
    options: dict[str, Any] = {"batch_size": 3, "seed": 5, "dtype": np.float64}
    loaded = load_graph_dataset(tmp_path / "train" / "manifest.json", info, **options)
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
    dataset = load_graph_dataset(tmp_path / "train" / "manifest.json", info, 2)
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
        tmp_path / "train" / "manifest.json", info, 2, should_shuffle=False, dtype=np.float64
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
    manifest = read_manifest(tmp_path / "train" / "manifest.json")
    rms = manifest["statistics"]["force_rms_ev_per_angstrom"]
    assert rms == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-14)


def test_number_of_shards_changes_no_byte_of_the_result(tmp_path: Path) -> None:
    frames = mixed_frames()
    for n_shards in (1, 3, 7, 9):
        prepare(tmp_path / str(n_shards), {"train": frames, "valid": frames[:2]}, n_shards)
    for other in (tmp_path / "3", tmp_path / "7", tmp_path / "9"):
        one = tmp_path / "1"
        name = "dataset_info.json"
        assert (one / name).read_bytes() == (other / name).read_bytes()
        for split in ("train", "valid"):
            manifests = [read_manifest(d / split / "manifest.json") for d in (one, other)]
            for manifest in manifests:
                del manifest["shards"]
            assert manifests[0] == manifests[1]


def test_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepare(tmp_path / name, {"train": mixed_frames()})
    for file in ("train/manifest.json", f"train/{shard_name(0, 1)}", "dataset_info.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_fingerprint_follows_content(tmp_path: Path) -> None:
    def fingerprint(name: str, frames: list[Frame], **options: Any) -> str:
        prepare(tmp_path / name, {"train": frames}, **options)
        return read_manifest(tmp_path / name / "train" / "manifest.json")["fingerprint"]

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


def test_slices_cover_everything_once() -> None:
    for n_frames, n_shards in ((10, 3), (2, 5), (0, 2)):
        slices = [shard_slice(n_frames, index, n_shards) for index in range(n_shards)]
        items = list(range(n_frames))
        assert [item for part in slices for item in items[part]] == items


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


def free_atoms() -> list[Frame]:
    return frames_of([water(0)[[0]], water(0)[[1]]])


def test_isolated_atoms_of_any_split(tmp_path: Path) -> None:
    oxygen, hydrogen = free_atoms()
    splits = {"train": [*frames_of([water(0)]), oxygen], "test": [hydrogen]}
    info = prepare(tmp_path, splits, atomic_energies="isolated_atoms")
    assert info.atomic_energies_map == {1: hydrogen.energy, 8: oxygen.energy}


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
            {"train": [*frames_of([water(0)]), free_atoms()[0]]},
            {"atomic_energies": "isolated_atoms"},
            "no energy for H",
        ),
        (
            {"train": frames_of([water(0)])},
            {"labels": ("forces",)},
            "the dataset has no energies",
        ),
    ],
)
def test_mistakes_in_datasets(
    tmp_path: Path, splits: dict[str, list[Frame]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(tmp_path, splits, **options)


def test_isolated_atoms_that_contradict_each_other(tmp_path: Path) -> None:
    oxygen, hydrogen = free_atoms()
    atoms = oxygen.atoms.copy()
    atoms.info["energy"] = oxygen.energy + 1.0
    frames = [oxygen, hydrogen, frame_from_atoms(atoms)]
    with pytest.raises(UserError, match="isolated O has energies"):
        prepare(tmp_path, {"train": frames}, atomic_energies="isolated_atoms")


def test_frame_without_a_label_is_named(tmp_path: Path) -> None:
    frame = frame_from_atoms(ethanol(0), require=(), file="my.xyz", index=4)
    with pytest.raises(UserError, match=r"my\.xyz: frame 4: no energy"):
        write_shard(tmp_path / "a.safetensors", [frame], CUTOFF)


def test_shards_of_different_cutoffs_do_not_mix(tmp_path: Path) -> None:
    paths = [tmp_path / "train" / shard_name(index, 2) for index in range(2)]
    for path, cutoff in zip(paths, (3.0, 4.0), strict=True):
        write_shard(path, frames_of([water(0)]), cutoff)
    with pytest.raises(UserError, match=r"made with cutoff_angstrom 4\.0"):
        gather({"train": paths}, tmp_path / "dataset_info.json")


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, Path, DatasetInfo]:
    info = prepare(tmp_path, {"train": mixed_frames()})
    return tmp_path / "train" / "manifest.json", tmp_path / "train" / shard_name(0, 1), info


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
    manifest.write_text(json.dumps(content | {"version": 2}))
    with pytest.raises(UserError, match="version 2"):
        load_graph_dataset(manifest, info, 2)
    shard.write_bytes(shard.read_bytes().replace(b'version\\": 1', b'version\\": 2'))
    with pytest.raises(UserError, match="version 2"):
        read_shard(shard)


def test_directory_can_be_moved(prepared: tuple[Path, Path, DatasetInfo], tmp_path: Path) -> None:
    manifest, _, info = prepared
    moved = Path(shutil.move(manifest.parent, tmp_path / "elsewhere"))
    assert load_graph_dataset(moved / "manifest.json", info, 2).num_graphs == 7


def test_empty_split(tmp_path: Path) -> None:
    info = prepare(tmp_path, {"train": mixed_frames(), "valid": []}, 2)
    dataset = load_graph_dataset(tmp_path / "valid" / "manifest.json", info, 4)
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
    assert entry["shapes"]["positions"] == [7, 9, 3]
