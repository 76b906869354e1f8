"""Model zips made by chance: each gives a model of finite numbers or one line of complaint.

`make fuzz` runs many more of them than the quick tests.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hypothesis import strategies as st

from mlip_core.data import DatasetInfo
from mlip_core.models import ForceField, Visnet
from mlip_core.models.model_io import load_model, save_model_to_zip
from mlip_core.utils.errors import UserError
from tests.fuzzing import EDITS, VALUES, edited, number_of_cases, run

MANY, FEW = number_of_cases(200, 10_000), number_of_cases(40, 2_000)

DTYPES = st.sampled_from(["<f4", ">f8", "|O", "<i4", "|V8", "<U3", "garbage", "<f40"])
HEADERS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        "{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n".format,
        DTYPES,
        st.booleans(),
        st.lists(st.integers(-1, 2**65), max_size=4).map(tuple),
    ).map(str.encode),
)


@pytest.fixture(scope="module")
def model_zip(tmp_path_factory) -> Path:
    info = DatasetInfo(atomic_energies_map={1: -13.5, 8: -2042.75}, cutoff_distance_angstrom=3.0)
    config = Visnet.Config(num_channels=2, num_heads=1, num_layers=1, l_max=1, num_rbf=2)
    path = tmp_path_factory.mktemp("fuzz") / "model.zip"
    save_model_to_zip(path, ForceField.from_mlip_network(Visnet(config, info)))
    return path


@pytest.fixture
def try_to_load(model_zip) -> Callable[[bytes], None]:
    path = model_zip.with_name("hostile.zip")

    def load(content: bytes) -> None:
        path.write_bytes(content)
        complaint = str(path)
        try:
            force_field = load_model(path)
        except UserError as error:
            complaint = str(error)
        else:
            assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(force_field))
        assert str(path) in complaint
        assert complaint.isprintable()

    return load


@MANY
def test_bytes_anywhere(model_zip, try_to_load, cases):
    content = model_zip.read_bytes()
    run(EDITS, lambda edits: try_to_load(edited(content, edits)), cases)


@MANY
def test_bytes_in_the_parameters(model_zip, try_to_load, cases):
    """The zip around them is sound, so that they are read."""
    members = read_members(model_zip.read_bytes())

    def check(edits: list[tuple[float, int, bytes]]) -> None:
        npz = edited(members["params.npz"], edits)
        try_to_load(zip_of(members | {"params.npz": npz}))

    run(EDITS, check, cases)


@MANY
def test_headers_of_arrays(model_zip, try_to_load, cases):
    members = read_members(model_zip.read_bytes())
    arrays = read_members(members["params.npz"])
    first = min(arrays)

    def check(case: tuple[bytes, bytes, bytes]) -> None:
        version, header, numbers = case
        length = len(header).to_bytes(2, "little")
        npy = b"\x93NUMPY" + version + length + header + numbers
        npz = zip_of(arrays | {first: npy})
        try_to_load(zip_of(members | {"params.npz": npz}))

    versions = st.sampled_from([b"\1\0", b"\2\0", b"\3\0"]) | st.binary(min_size=2, max_size=2)
    run(st.tuples(versions, HEADERS, st.binary(max_size=64)), check, cases)


@FEW
def test_values_of_hyperparameters(model_zip, try_to_load, cases):
    members = read_members(model_zip.read_bytes())
    hyperparameters = json.loads(members["hyperparams.json"])
    places = [(key, None) for key in hyperparameters]
    places += [(k, inner) for k in ("config", "dataset_info") for inner in hyperparameters[k]]

    def check(changes: dict[tuple[str, str | None], object]) -> None:
        value = json.loads(members["hyperparams.json"])
        for (key, inner), new in changes.items():
            if inner is None:
                value[key] = new
            elif isinstance(value[key], dict):
                value[key][inner] = new
        content = json.dumps(value).encode()
        try_to_load(zip_of(members | {"hyperparams.json": content}))

    keys = st.sampled_from(places)
    run(st.dictionaries(keys, VALUES, min_size=1, max_size=2), check, cases)


def read_members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
