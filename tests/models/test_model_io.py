"""The model zip: same bytes, same numbers, nothing damaged or foreign accepted."""

import io
import json
import zipfile

import jax
import numpy as np
import pytest

from mlip_core.data import DatasetInfo
from mlip_core.data.helpers.dummy_init_graph import get_dummy_graph_for_model_init
from mlip_core.models import ForceField, Mace
from mlip_core.models.model_io import load_model, load_model_from_zip, save_model_to_zip
from mlip_core.utils.errors import UserError


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["config"].update(num_bessel=6), "has shape"),
        (lambda h: h["config"].update(num_channels=3), "missing"),
        (lambda h: h["config"].update(num_layers=3), "missing"),
        (lambda h: h["config"].update(num_layers=0), "num_layers"),
        (lambda h: h.update(architecture="unheard-of"), "is not one of"),
        (lambda h: h.pop("config"), "lacks 'config'"),
    ],
)
def test_hyperparameters_that_do_not_fit(saved, change, message):
    def changed(hyperparameters: bytes) -> bytes:
        value = json.loads(hyperparameters)
        change(value)
        return json.dumps(value).encode()

    rewrite(saved, "hyperparams.json", changed)
    with pytest.raises(UserError, match=message):
        load_model(saved)


def test_parameters_that_are_not_finite(saved):
    def spoiled(npz: bytes) -> bytes:
        with np.load(io.BytesIO(npz)) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        next(iter(content.values()))[...] = np.nan
        buffer = io.BytesIO()
        np.savez(buffer, **content)
        return buffer.getvalue()

    rewrite(saved, "params.npz", spoiled)
    with pytest.raises(UserError, match="not finite"):
        load_model(saved)


def test_pickled_parameters_are_refused(saved):
    def pickled(npz: bytes) -> bytes:
        with np.load(io.BytesIO(npz)) as arrays:
            content = {name: arrays[name].astype(object) for name in arrays.files}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=True, **content)
        return buffer.getvalue()

    rewrite(saved, "params.npz", pickled)
    with pytest.raises(UserError, match="is damaged"):
        load_model(saved)


def rewrite(path, member, change):
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)
