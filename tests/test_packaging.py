"""The files that install the project agree with each other."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Where conda's channels name a package differently from PyPI.
PYPI_NAMES = {
    "matplotlib-base": "matplotlib",
    "python-vesin": "vesin",
    "snakemake-minimal": "snakemake",
    "tblite-python": "tblite",
}
# In environment.yml only: the language, the installer, and the line that chooses CPU or CUDA.
CONDA_ONLY = {"python", "pip", "jaxlib"}


def requirements(extras: list[str]) -> dict[str, Requirement]:
    """The project's direct requirements, with those of ``extras``, by normalised name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    parsed = [Requirement(line) for line in lines]
    inner = [extra for item in parsed if item.name == PROJECT["name"] for extra in item.extras]
    others = {canonicalize_name(item.name): item for item in parsed if item.name != PROJECT["name"]}
    return others | (requirements(inner) if inner else {})


def conda_requirements() -> dict[str, Requirement]:
    """The packages of environment.yml under their names on PyPI."""
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    lines = [line for line in content["dependencies"] if isinstance(line, str)]
    names = [re.split(r"[<>=!]", line, maxsplit=1)[0] for line in lines]
    return {
        canonicalize_name(PYPI_NAMES.get(name, name)): Requirement(line)
        for name, line in zip(names, lines, strict=True)
        if name not in CONDA_ONLY
    }


def constraints() -> dict[str, str]:
    """The pinned version of each package in constraints.txt, by normalised name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): pinned for name, pinned in pins}


def imported_packages(directory: Path) -> set[str]:
    """The distributions whose modules the Python files below ``directory`` import."""
    trees = [ast.parse(path.read_text()) for path in directory.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    providers = packages_distributions()
    return {
        canonicalize_name(distribution)
        for name in names
        for distribution in providers.get(name.partition(".")[0], [])
    }


def tracked_files() -> list[Path]:
    """Files that git knows or would add: everything but what .gitignore names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in output.split("\0") if name and (ROOT / name).is_file()]


def test_conda_environment_has_the_same_packages_and_bounds() -> None:
    expected = {name: item.specifier for name, item in requirements(["tblite", "dev"]).items()}
    assert {name: item.specifier for name, item in conda_requirements().items()} == expected


def test_conda_environment_allows_the_same_python() -> None:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python{PROJECT['requires-python']}" in dependencies


def test_cuda_extras_are_those_of_jax() -> None:
    for name in ("cuda12", "cuda13"):
        (extra,) = map(Requirement, PROJECT["optional-dependencies"][name])
        assert (extra.name, extra.extras) == ("jax", {name})


@pytest.mark.parametrize("directory", ["mlip_core", "workflow"])
def test_every_imported_package_is_required(directory: str) -> None:
    assert imported_packages(ROOT / directory) - {"mlip-core"} <= requirements(["tblite"]).keys()


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    pins = constraints()
    for name, requirement in requirements(["tblite", "dev"]).items():
        assert requirement.specifier.contains(pins[name], prereleases=True), requirement


def test_constraints_are_plain_sorted_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in pins)
    assert pins == sorted(pins, key=str.upper)


@pytest.mark.skipif(
    not Path(sys.prefix, ".complete").is_file(), reason="not the environment that `make env` makes"
)
@pytest.mark.parametrize("name", sorted(requirements(["tblite", "dev"])))
def test_installed_version_is_the_pinned_one(name: str) -> None:
    assert version(name) == constraints()[name]


def test_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == PROJECT["version"]


def test_no_file_names_this_machine() -> None:
    """Paths of one machine and package indexes have no place in the project."""
    paths = rb"(?<![\w.~])/(?:work|root|home)/\w"
    indexes = rb"find-links|index-url|pypi\.org|pythonhosted|npmjs|deb\.debian"
    pattern = re.compile(paths + rb"|" + indexes)
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked_files()
        if path != Path(__file__) and (match := pattern.search(path.read_bytes()))
    ]
    assert found == []


def test_every_public_name_can_be_imported() -> None:
    """Packages import what they export when it is asked for; here all of it at once."""
    stubs = sorted((ROOT / "mlip_core").rglob("__init__.pyi"))
    packages = [".".join(stub.parent.relative_to(ROOT).parts) for stub in stubs]
    assert "mlip_core.training" in packages
    subprocess.run(
        [sys.executable, "-c", f"import {', '.join(packages)}"],
        check=True,
        env=os.environ | {"EAGER_IMPORT": "1"},
    )


def test_pinned_versions_run_on_the_oldest_python() -> None:
    """Debian has 3.11.2; `make constraints` takes the newest for the Python that it runs on."""
    oldest = f"{PROJECT['requires-python'].removeprefix('>=')}.0"
    pins = (line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    too_new = {}
    for pin in pins:
        name = pin.partition("==")[0]
        try:
            needed = metadata(name).get("Requires-Python") or ""
        except PackageNotFoundError:  # for another platform
            continue
        if not SpecifierSet(needed).contains(oldest):
            too_new[name] = needed
    assert not too_new
