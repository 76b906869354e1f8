"""What the README tells people to type is there."""

import re
from pathlib import Path

import yaml

from mlip_core.study.config import load_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)


def test_commands_are_make_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE)
    assert {"run", "test"} <= set(named) <= set(targets)


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_studies_are_valid() -> None:
    block, shorthand = (yaml.safe_load(code) for language, code in CODE if language == "yaml")
    study = load_study(block)
    assert {run.dataset for run in study.runs.values()} == set(study.datasets)
    runs = load_study(shorthand | {"datasets": block["datasets"]}).runs
    assert len(runs) == 9
    assert runs["curve-train_size_300-seed_2"].train_size == 300
