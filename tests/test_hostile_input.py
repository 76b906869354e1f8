"""Nothing that is read is run: neither by our code nor by what it calls."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase.build import molecule

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for folder in ("mlip_core", "workflow") for path in (ROOT / folder).rglob("*.py")
)
FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "codeop"),
    *("torch", "xmlrpc", "imp", "runpy"),
}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pd.read_pickle"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader"),
}
MAY_IMPORT_BY_NAME = {
    "mlip_core/models/registry.py": "networks of this package",
    "mlip_core/reference/calculators.py": "the calculator that the user's config names",
    "mlip_core/training/training_loggers.py": "TensorBoard, if it is installed",
}


def breaches(tree: ast.AST) -> Iterator[str]:
    """What code does that could run or unpickle data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").partition(".")[0]}
        else:
            names = set()
        yield from (f"imports {name}" for name in names & FORBIDDEN_MODULES)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in FORBIDDEN_CALLS or name.endswith("pickletrajectory"):
                yield f"calls {name}"
            if name in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
                yield "np.load without allow_pickle=False"
            if keywords.get("allow_pickle", "False") != "False" or keywords.get("shell") == "True":
                yield f"calls {name} with {keywords}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_data_is_run_or_unpickled(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert list(breaches(ast.parse(text))) == []
    name = str(path.relative_to(ROOT))
    assert "import_module(" not in text or name in MAY_IMPORT_BY_NAME


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch.nn",
        "eval(x)",
        "yaml.load(f, Loader=yaml.Loader)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "np.lib.format.read_array(f, allow_pickle=True)",
        "subprocess.run(x, shell=True)",
    ],
)
def test_breaches_are_found(code: str) -> None:
    assert list(breaches(ast.parse(code)))


CANARY = """
from pathlib import Path
Path({mark!r}).touch()
class Calculator:
    def __init__(self, *args, **kwargs): pass
    def get_property(self, *args): pass
"""
READ = """
import sys
from mlip_core.data.frames import scan_frames
from mlip_core.models.model_io import load_model
from mlip_core.utils.errors import UserError
for path in sys.argv[1:]:
    try:
        load_model(path) if path.endswith(".zip") else list(scan_frames(path))
    except UserError as error:
        print(error)
"""


def test_calculators_come_from_the_config_and_never_from_data(tmp_path: Path) -> None:
    """What could name something to import in a file names a module that leaves a mark."""
    mark = tmp_path / "imported"
    (tmp_path / "canary.py").write_text(CANARY.format(mark=str(mark)))
    files = [*structure_files(tmp_path), *model_zips(tmp_path)]
    run(tmp_path, READ, *map(str, files))
    assert not mark.exists()
    run(
        tmp_path,
        "from mlip_core.reference import make_calculator\nmake_calculator('canary.Calculator', {})",
    )
    assert mark.exists()


def structure_files(directory: Path) -> list[Path]:
    name = "canary.Calculator"
    info = {"calculator": name, "calculator_name": name, "__class__": name, "py/object": name}
    atoms = molecule("H2O")
    atoms.info.update(energy=1.0, **info)
    atoms.new_array("forces", np.zeros((3, 3)))
    ase.io.write(directory / "a.extxyz", atoms, columns=["symbols", "positions", "forces"])
    ase.io.write(directory / "a.json", atoms)
    ase.io.write(directory / "a.traj", atoms)
    # JSON of ASE's database that claims an object of a class, in its way.
    text = (directory / "a.json").read_text()
    (directory / "b.json").write_text(
        text.replace('"numbers"', f'"__ase_objtype__": "{name}", "calculator": "canary", "numbers"')
    )
    with h5py.File(directory / "a.h5", "w") as file:
        group = file.create_group("0")
        group["positions"], group["elements"] = atoms.positions, atoms.numbers
        group["forces"] = np.zeros((3, 3))
        group.attrs.update(energy=1.0, **info)
    return [directory / name for name in ("a.extxyz", "a.json", "b.json", "a.traj", "a.h5")]


def model_zips(directory: Path) -> Iterator[Path]:
    golden = ROOT / "tests/golden/zips/mace.zip"
    with zipfile.ZipFile(golden) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sound = json.loads(members["hyperparams.json"])
    name = "canary.Calculator"
    changes = [
        {"architecture": "canary"},
        {"architecture": "../../canary"},
        {"architecture": name, "calculator": name},
        {"py/object": name, "__reduce__": name},
        {"config": sound["config"] | {"activation": name, "_target_": name}},
    ]
    for number, change in enumerate(changes):
        path = directory / f"model-{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                is_changed = member == "hyperparams.json"
                archive.writestr(member, json.dumps(sound | change) if is_changed else content)
        yield path


def run(directory: Path, program: str, *arguments: str) -> None:
    """Run a program where ``canary`` can be imported."""
    subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path.insert(0, '.')\n{program}", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
