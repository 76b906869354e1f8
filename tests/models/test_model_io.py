"""The model zip: same bytes, same numbers, nothing damaged or foreign accepted."""

import io
import json
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

from mlip_core.data import ChemicalSystem, DatasetInfo
from mlip_core.data.helpers import create_graph_from_chemical_system
from mlip_core.data.helpers.dummy_init_graph import get_dummy_graph_for_model_init
from mlip_core.models import ForceField, Mace, Nequip
from mlip_core.models.model_io import load_model, load_model_from_zip, save_model_to_zip
from mlip_core.utils.errors import UserError

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import structures as golden_inputs  # noqa: E402


@pytest.fixture(scope="module")
def force_field() -> ForceField:
    info = DatasetInfo(atomic_energies_map={1: -13.5, 8: -2042.75}, cutoff_distance_angstrom=3.0)
    return ForceField.from_mlip_network(Mace(Mace.Config(num_channels=2, l_max=1), info))


@pytest.fixture
def saved(force_field, tmp_path):
    path = tmp_path / "model.zip"
    save_model_to_zip(path, force_field)
    return path


def test_same_model_same_bytes(force_field, saved, tmp_path):
    save_model_to_zip(tmp_path / "again.zip", force_field)
    assert (tmp_path / "again.zip").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("load", [load_model, lambda path: load_model_from_zip(Mace, path)])
def test_loaded_model_is_the_saved_one(force_field, saved, load):
    loaded = load(saved)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, force_field.params)
    assert loaded.config == force_field.config
    assert loaded.dataset_info == force_field.dataset_info
    graph = get_dummy_graph_for_model_init()
    np.testing.assert_array_equal(loaded(graph).forces, force_field(graph).forces)


def test_parameters_of_the_same_seed_are_the_same(force_field):
    again = ForceField.from_mlip_network(force_field.predictor.mlip_network)
    other = ForceField.from_mlip_network(force_field.predictor.mlip_network, seed=7)
    jax.tree.map(np.testing.assert_array_equal, again.params, force_field.params)
    assert all(
        (a != b).any()
        for a, b in zip(
            jax.tree.leaves(other.params), jax.tree.leaves(force_field.params), strict=True
        )
    )


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_model(tmp_path / "none.zip")


def test_not_a_zip(tmp_path):
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(UserError, match="not a zip file"):
        load_model(tmp_path / "text.zip")


def test_another_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="not a model zip"):
        load_model(tmp_path / "other.zip")


@pytest.mark.parametrize("architecture", ["mace", "nequip", "visnet"])
def test_zips_of_the_other_library(architecture):
    """They do not say which architecture they are of."""
    structure = golden_inputs.structures()["molecule"]
    elements = sorted(golden_inputs.ATOMIC_ENERGIES)
    species = np.searchsorted(elements, structure["atomic_numbers"])
    graph = create_graph_from_chemical_system(
        ChemicalSystem(atomic_species=species, **structure),
        golden_inputs.CUTOFF_ANGSTROM,
        batch_it_with_minimal_dummy=True,
    )
    prediction = load_model(GOLDEN / "zips" / f"{architecture}.zip")(graph)
    expected = json.loads((GOLDEN / "zips" / "predictions.json").read_text())[architecture]
    np.testing.assert_allclose(prediction.energy[0], expected["energy"], rtol=1e-6)
    forces = np.asarray(prediction.forces)[: len(species)]
    np.testing.assert_allclose(forces, expected["forces"], rtol=1e-4, atol=1e-5)


def test_parameters_kept_for_each_device_of_a_parallel_training(saved, force_field):
    rewrite_arrays(saved, lambda array: np.stack([array] * 4))
    jax.tree.map(np.testing.assert_array_equal, load_model(saved).params, force_field.params)


def test_fortran_order_and_float64(saved, force_field):
    rewrite_arrays(saved, lambda array: np.asfortranarray(array.astype(np.float64)))
    jax.tree.map(np.testing.assert_array_equal, load_model(saved).params, force_field.params)


def test_compressed_zip(saved, force_field):
    rewrite(saved, "params.npz", lambda npz: npz, zipfile.ZIP_DEFLATED)
    jax.tree.map(np.testing.assert_array_equal, load_model(saved).params, force_field.params)


def test_looking_into_a_zip_needs_no_jax(saved):
    program = (
        "import sys; from mlip_core.models.model_zip import open_model_zip\n"
        f"with open_model_zip({str(saved)!r}) as file: file.read(min(file.arrays))\n"
        "assert file.architecture == 'mace' and 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def with_hyperparameters(path, change):
    def changed(hyperparameters: bytes) -> bytes:
        value = json.loads(hyperparameters)
        change(value)
        return json.dumps(value).encode()

    rewrite(path, "hyperparams.json", changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["config"].update(num_bessel=6), "has shape"),
        (lambda h: h["config"].update(num_channels=3), "missing"),
        (lambda h: h["config"].update(num_layers=3), "missing"),
        (lambda h: h["config"].update(num_layers=0), "num_layers"),
        (lambda h: h["config"].update(unheard_of=1), "unheard_of"),
        (lambda h: h["config"].update(num_species=1), "num_species"),
        (lambda h: h["config"].update(atomic_energies={"1": 0.0}), "atomic_energies"),
        (lambda h: h["config"].update(num_layers=10**9), "num_layers' is too large"),
        (lambda h: h["config"].update(l_max=30), "l_max' is too large"),
        (lambda h: h["config"].update(l_max=8, correlation=6), "are too large"),
        (lambda h: h["config"].update(num_channels=10**30), "num_channels' is too large"),
        (lambda h: h["config"].update(readout_irreps=["16x99e", "0e"]), "l_max' is too large"),
        (lambda h: h.update(architecture="unheard-of\x1b[31m"), r"'unheard-of\\x1b\[31m' is not"),
        (lambda h: h.update(architecture="nequip"), "not a Nequip that this version can read"),
        (lambda h: h.update(version="0.2.5"), "version '0.2.5' of the mlip library"),
        (lambda h: h.update(version=[9] * 1000), "version '.{0,90}' of the mlip library"),
        (lambda h: h.pop("config"), "'config': Field required"),
        (lambda h: h.update(config=[]), "'config': Input should be"),
        (lambda h: h.update(predict_stress="maybe"), "'predict_stress'"),
        (lambda h: h["dataset_info"].update(cutoff_distance_angstrom=-1), "cutoff_distance"),
        (lambda h: h["dataset_info"].update(avg_num_neighbors=0), "avg_num_neighbors"),
        (lambda h: h["dataset_info"].update(scaling_mean=float("nan")), "not JSON"),
        (lambda h: h["dataset_info"].update(atomic_energies_map={"500": 0.0}), "atomic number"),
        (lambda h: h["dataset_info"].update(atomic_energies_map={}), "atomic_energies_map"),
    ],
)
def test_hyperparameters_that_do_not_fit(saved, change, message):
    with_hyperparameters(saved, change)
    refused(saved, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a mapping"),
        (b'{"config": ' + b"9" * 5000 + b"}", "not JSON|Field required"),
        (b" " * (2 << 20), "larger than 1 MiB"),
    ],
)
def test_hyperparameters_that_are_not_even_that(saved, content, message):
    rewrite(saved, "hyperparams.json", lambda _: content)
    refused(saved, message)


def test_zip_of_another_architecture(saved):
    with pytest.raises(
        UserError, match=r"not a Nequip that this version can read: '[a-z_]+': Extra inputs"
    ):
        load_model_from_zip(Nequip, saved)


def test_zip_of_another_library_of_no_known_architecture(saved):
    rewrite(
        saved,
        "params.npz",
        lambda npz: npz_bytes({"params#mlip_network#OtherBlock_0#w": np.zeros(3)}),
    )
    with_hyperparameters(saved, lambda h: h.pop("architecture"))
    refused(saved, "architecture 'unknown' is not one of")


def test_model_of_another_format_of_the_same_family(tmp_path):
    """What version 0.2.5 of the mlip library writes: other keys, and its version."""
    hyperparameters = {
        "dataset_info": {"atomic_energies_map": {"1": -13.5}, "graph_cutoff_angstrom": 3.0},
        "config": {"num_rbf": 8, "add_atomic_energies": True},
        "available_properties": {"energy": True, "forces": True},
        "version": "0.2.5",
    }
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr("hyperparams.json", json.dumps(hyperparameters))
        archive.writestr("params.npz", npz_bytes({"w": np.zeros(3)}))
    refused(tmp_path / "new.zip", "only zips of its 0.1 series and of mlip-core can be read")


def test_file_of_pytorch(tmp_path):
    with zipfile.ZipFile(tmp_path / "mace.model", "w") as archive:
        archive.writestr("mace/data.pkl", b"cos\nsystem\n(S'false'\ntR.")
        archive.writestr("mace/data/0", b"\0" * 16)
    refused(tmp_path / "mace.model", "a PyTorch file, whose pickled code is not run")


def test_parameters_that_are_not_finite(saved):
    def spoiled(array: np.ndarray) -> np.ndarray:
        array[...] = np.nan
        return array

    rewrite_arrays(saved, spoiled)
    refused(saved, "not finite")


def test_parameters_too_large_for_float32(saved):
    rewrite_arrays(saved, lambda array: np.full(array.shape, 1e300))
    refused(saved, "not finite")


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array.astype(object),
        lambda array: array.astype([("a", "<f4"), ("b", "<f4")]),
        lambda array: array.astype(np.int32),
        lambda array: array.astype(np.float16),
        lambda array: array.astype("S4"),
        lambda array: array.astype(complex),
    ],
    ids=["pickled", "records", "integers", "half", "text", "complex"],
)
def test_arrays_of_anything_but_plain_numbers_are_refused(saved, change):
    rewrite_arrays(saved, change)
    refused(saved, "is not a plain array of float32 or float64")


@pytest.mark.parametrize(
    ("npy", "message"),
    [
        (b"", "not a plain array"),
        (b"\x93NUMPY\x09\0\x10\0" + b" " * 16, "not a plain array"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff" + b" " * 16, "not a plain array"),
        (
            b"\x93NUMPY\1\0\x50\0"
            + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 9), }".ljust(79)
            + b"\n",
            r"claims the shape \(99999999999, 9\), but holds 0 bytes",
        ),
    ],
    ids=["empty", "version", "huge header", "huge shape"],
)
def test_headers_that_lie(saved, npy, message):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("w.npy", npy)
    rewrite(saved, "params.npz", lambda _: buffer.getvalue())
    refused_cheaply(saved, message)


@pytest.mark.parametrize(
    "name", ["../../escaped", "/etc/escaped", "C:\\escaped", "hyperparams.json"]
)
def test_paths_out_of_the_archive(saved, tmp_path, name):
    before = set(tmp_path.rglob("*"))
    with zipfile.ZipFile(saved, "a") as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr(name, b"x")
    refused(saved, "not a model zip|twice")
    assert set(tmp_path.rglob("*")) == before


def test_paths_in_parameters(saved):
    rewrite(saved, "params.npz", lambda npz: npz_bytes({"../../escaped": np.zeros(3, np.float32)}))
    refused(saved, r"1 unknown \(e.g. '../../escaped'\)")


def test_parameter_that_is_there_twice(saved):
    def doubled(npz: bytes) -> bytes:
        buffer = io.BytesIO(npz)
        with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings(action="ignore"):
            archive.writestr(archive.infolist()[0], archive.read(archive.infolist()[0]))
        return buffer.getvalue()

    rewrite(saved, "params.npz", doubled)
    refused(saved, "twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_without_a_limit_on_what_they_unpack_to(saved, method):
    rewrite(saved, "params.npz", lambda npz: npz, method)
    refused(saved, "packed in a way that no model zip uses")


def test_bomb_that_says_how_large_it_is(saved):
    rewrite(saved, "params.npz", lambda _: bytes(64 << 20), zipfile.ZIP_DEFLATED)
    refused_cheaply(saved, "claims to unpack to far more than its size")


def test_bomb_inside_the_parameters(saved):
    def bomb(npz: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("w.npy", bytes(64 << 20))
        return buffer.getvalue()

    rewrite(saved, "params.npz", bomb)
    refused_cheaply(saved, "params.npz claims to unpack to far more")


def test_bomb_that_says_it_is_small(saved):
    """All sizes of the entry, in front of it and in the list at the end, say 1000 bytes."""
    size = 64 << 20
    rewrite(saved, "params.npz", lambda _: bytes(size), zipfile.ZIP_DEFLATED)
    lie = saved.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    saved.write_bytes(lie)
    refused_cheaply(saved, "damaged")


def test_endless_list_of_entries(saved):
    content = bytearray(saved.read_bytes())
    content[-10:-6] = (3 << 30).to_bytes(4, "little")
    saved.write_bytes(content)
    refused_cheaply(saved, "list of entries is too long")


def test_truncated(saved, subtests):
    content = saved.read_bytes()
    for length in (0, 1, 21, 100, len(content) // 2, len(content) - 30, len(content) - 1):
        with subtests.test(length=length):
            saved.write_bytes(content[:length])
            refused(saved, "damaged or not a zip|not a model zip")


def refused(path, message):
    """Raises one line that can be printed."""
    with pytest.raises(UserError, match=message) as caught:
        load_model(path)
    text = str(caught.value)
    assert str(path) in text
    assert text.isprintable()
    assert len(text) < len(str(path)) + 400


def refused_cheaply(path, message):
    tracemalloc.start()
    try:
        refused(path, message)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def npz_bytes(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def rewrite_arrays(path, change):
    def changed(npz: bytes) -> bytes:
        with np.load(io.BytesIO(npz)) as arrays:
            return npz_bytes({name: change(arrays[name]) for name in arrays.files})

    rewrite(path, "params.npz", changed)


def rewrite(path, member, change, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member])
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, value in content.items():
            archive.writestr(name, value)
