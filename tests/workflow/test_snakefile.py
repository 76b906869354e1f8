"""The Snakefile in good style."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_lint_has_nothing_to_say() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_format() -> None:
    pytest.importorskip("snakefmt")
    result = subprocess.run(
        [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_scripts_hold_no_science() -> None:
    for path in (ROOT / "workflow/scripts").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) < 40, path
        for word in ("import numpy", "import jax", "import ase", "def "):
            assert word not in text, f"{path}: {word}"
