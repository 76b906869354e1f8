"""The tutorial, followed to the letter: its files, commands and programs in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import pandas as pd
import pytest

from tests.docs.pages import DOCS, ROOT, blocks

# What a reader has in the clone of the repository.
CLONE = ("Snakefile", "workflow", "config", "profiles", "environment.yml", "mlip_core")


def environment() -> dict[str, str]:
    """That of a user: not the slow code and the cache that tests are compiled with."""
    ours = ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT)}


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def follow(directory: Path, language: str, text: str) -> str:
    if language == "yaml":
        (directory / "study.yaml").write_text(text)
        return ""
    return run(directory, *({"sh": ["bash", "-ec"], "python": ["python", "-c"]}[language]), text)


@pytest.mark.slow
def test_tutorial(tmp_path: Path) -> None:
    for name in CLONE:
        (tmp_path / name).symlink_to(ROOT / name)
    output = [follow(tmp_path, *block) for block in blocks("tutorial.md", "python", "sh", "yaml")]
    assert "nothing is wrong" in output[1]
    assert (tmp_path / "results/report/index.html").is_file()
    assert (tmp_path / "results/models/best.zip").is_file()
    assert '"relative_rmse_percent"' in output[4]
    assert output[5].count(" eV, ") == 10
    assert len(ase.io.read(tmp_path / "md.xyz", ":")) > 100

    page = (DOCS / "tutorial.md").read_text()
    more = re.search(r"Write `(num_epochs: (\d+))`", page)
    assert more
    study = tmp_path / "study.yaml"
    study.write_text(re.sub(r"num_epochs: \d+", more[1], study.read_text()))
    before = pd.read_csv(tmp_path / "results/runs/mace/metrics.csv")
    run(tmp_path, "bash", "-c", "snakemake --cores all --configfile study.yaml")
    after = pd.read_csv(tmp_path / "results/runs/mace/metrics.csv")
    assert len(after) == 1 + int(more[2]) > len(before)
    pd.testing.assert_frame_equal(after[: len(before)], before)
