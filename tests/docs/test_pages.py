"""What the pages tell people to type works."""

import re
import shlex
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from ase.build import molecule
from ase.calculators.emt import EMT

from mlip_core.cli.main import app
from mlip_core.reference import write_extxyz
from mlip_core.study.config import StudyConfig, load_study
from tests.docs.pages import DOCS, PAGES, ROOT, blocks, pages_with

ZIP = ROOT / "tests/golden/zips/mace.zip"

# The tutorial is run from beginning to end by test_tutorial.py; the loader of exported models by
# tests/export.
RUN_ELSEWHERE = {"tutorial.md", "export.md"}

# What a page takes for granted when it shows a part of a study.
STUDY: dict[str, Any] = {
    "datasets": {"mine": {"source": {"files": ["structures.xyz"]}, "split": {"train": 0.8}}},
    "runs": {"mace": {"dataset": "mine", "training": {"num_epochs": 1}}},
}
TOP_LEVEL = {*StudyConfig.model_fields, "defaults", "grids", "active_learning"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the pages speak of."""
    directory = tmp_path_factory.mktemp("docs")
    (directory / "results/models").mkdir(parents=True)
    for name in ("a.zip", "b.zip", "big_model.zip", "results/models/best.zip"):
        shutil.copy(ZIP, directory / name)
    frames = []
    for seed in range(3):
        atoms = molecule("CH3CH2OH")
        atoms.rattle(0.05, seed=seed)
        atoms.calc = EMT()
        atoms.get_forces()
        frames.append(atoms)
    write_extxyz(directory / "structures.xyz", frames)
    write_extxyz(directory / "molecule.xyz", frames[:1])
    (directory / "scan.dat").write_text("0.7 -31.0 -2.0\n0.8 -31.1 0.5\n0.9 -31.0 1.5\n")
    return directory


@pytest.mark.parametrize("page", sorted({*pages_with("python")} - RUN_ELSEWHERE))
def test_python_runs(
    page: str,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(directory)
    code = "\n".join(text for _, text in blocks(page, "python"))
    exec(compile(code, page, "exec"), {"__name__": page})  # noqa: S102
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_studies_are_valid(page: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)
    for _, text in blocks(page, "yaml"):
        part = yaml.safe_load(text)
        if not part.keys() <= TOP_LEVEL:
            part = {"datasets": {"mine": STUDY["datasets"]["mine"] | part}}
        for dataset in part.get("datasets", {}).values():
            dataset.setdefault("split", {"train": 0.8})
        assert load_study(STUDY | part, source=page).runs


@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_exist(page: str) -> None:
    for _, text in blocks(page, "sh"):
        for line in text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            CHECKS[program](arguments)


def check_mlip_core(arguments: list[str]) -> None:
    """Parses, without running it."""
    commands = typer.main.get_command(app).commands
    commands[arguments[0]].make_context(arguments[0], arguments[1:])


def check_snakemake(arguments: list[str]) -> None:
    """Names files that are there, or that the page has made, and stages that exist.

    No target follows a study file, since Snakemake would take it for another one.
    """
    if "--configfile" in arguments:
        after = arguments[arguments.index("--configfile") + 1 :]
        assert all(word.startswith("-") for word in after[1:]), after
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    for word in arguments:
        if word.startswith(("config/", "profiles/")):
            assert (ROOT / word).exists(), word
        elif not word.startswith(("-", "all", "study.yaml", "results/")):
            assert f"\nrule {word}:" in rules, word


def check_make(arguments: list[str]) -> None:
    """Names targets."""
    assert {*arguments} <= {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)}


def check_pip(arguments: list[str]) -> None:
    """Names extras of ours, or other people's packages."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in arguments:
        if found := re.fullmatch(r"\.\[(.*)\]", word):
            assert {*found[1].split(",")} <= extras["optional-dependencies"].keys()


def check_python(arguments: list[str]) -> None:
    """Names modules, or scripts that the site has."""
    if arguments[0] == "-m":
        assert find_spec(arguments[1])
    else:
        assert (DOCS / arguments[0]).is_file()


def check_cat(arguments: list[str]) -> None:
    """Names results; the tutorial's test reads them."""
    assert all(name.startswith("results/") for name in arguments)


CHECKS = {
    "mlip-core": check_mlip_core,
    "snakemake": check_snakemake,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "cat": check_cat,
}


def test_every_room_is_in_the_reference() -> None:
    pages = "\n".join((DOCS / page).read_text() for page in PAGES if "api_" in page)
    described = " ".join(re.findall(r"\{public-names\} (.*)", pages)).split()
    rooms = {f"mlip_core.{stub.parent.name}" for stub in (ROOT / "mlip_core").glob("*/*.pyi")}
    assert rooms <= {*described}
