"""Data that lie elsewhere: by address and checksum, or through a storage plugin of Snakemake."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlip_core.reference import write_extxyz
from mlip_core.utils.files import file_digest
from tests.web_server import WebServer, web_server
from tests.workflow.test_mistakes import ethane
from tests.workflow.tiny_study import StudyDirectory

SPLIT = "results/datasets/ethane/splits/split.json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    served = tmp_path / "served"
    write_extxyz(served / "ethane.xyz", [ethane(0.01 * i, labelled=True) for i in range(10)])
    content = (served / "ethane.xyz").read_bytes()
    (served / "ethane.xyz.gz").write_bytes(gzip.compress(content, mtime=0))
    with web_server(served) as server:
        yield server


def study_of(directory: Path, file: Any) -> StudyDirectory:
    """The tiny study on the data of a file."""

    def change(mapping: dict[str, Any]) -> None:
        mapping["datasets"]["ethane"] |= {
            "source": {"files": [file]},
            "atomic_energies": "least_squares",
            "split": {"train": 6, "valid": 2, "test": 2},
        }

    study = StudyDirectory(directory)
    study.configure(change)
    return study


def test_file_with_a_checksum_is_downloaded_once(server: WebServer, tmp_path: Path) -> None:
    sha256 = file_digest(server.directory / "ethane.xyz.gz")
    study = study_of(tmp_path, {"url": f"{server.url}/ethane.xyz.gz", "sha256": sha256})
    result = study.snakemake(SPLIT)
    assert result.status == 0, result.output
    assert result.rules == {"download": 1, "check": 1, "split": 1}
    assert len(server.ranges) == 1

    # No network, nor another address of the same content, is of any consequence.
    server.stop()
    study_of(tmp_path, {"url": "https://mirror.invalid/ethane.xyz.gz", "sha256": sha256})
    assert study.snakemake(SPLIT, "--dry-run").planned == {}


def test_other_content_ends_in_one_line(server: WebServer, tmp_path: Path) -> None:
    other = file_digest(server.directory / "ethane.xyz.gz")
    study = study_of(tmp_path, {"url": f"{server.url}/ethane.xyz", "sha256": other})
    result = study.snakemake(SPLIT)
    assert result.status == 1
    (line,) = result.errors
    assert line.startswith(f"error: {server.url}/ethane.xyz: its content (")
    assert "Traceback" not in result.output


def test_storage_plugin_gets_a_file(server: WebServer, tmp_path: Path) -> None:
    pytest.importorskip("snakemake_storage_plugin_http")
    study = study_of(tmp_path, f"{server.url}/ethane.xyz")
    result = study.snakemake(SPLIT)
    assert result.status == 0, result.output
    assert result.rules == {"check": 1, "split": 1}
    assert study.snakemake(SPLIT, "--dry-run").planned == {}
