"""What a user cannot know from a traceback of Snakemake's: where it may not write."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.workflow.tiny_study import ROOT, StudyDirectory


@pytest.fixture
def make_read_only() -> Iterator[Callable[[Path], None]]:
    """Takes the right to write into directories, until the test ends; root needs a mount for it."""
    undo: list[Callable[[], object]] = []

    def by_mount(path: Path) -> None:
        for options in (["--bind", str(path)], ["--options", "remount,ro,bind"]):
            if subprocess.run(["mount", *options, str(path)], check=False).returncode != 0:
                pytest.skip("mounting is not permitted here")
            if not undo:
                undo.append(lambda: subprocess.run(["umount", "--lazy", str(path)], check=False))

    def by_mode(path: Path) -> None:
        path.chmod(0o555)
        undo.append(lambda: path.chmod(0o755))

    yield by_mount if os.geteuid() == 0 else by_mode
    for step in undo:
        step()


@pytest.mark.parametrize("directory", [".snakemake/locks", "results/datasets"])
def test_read_only_directory_is_said_before_any_job(
    tmp_path: Path, make_read_only: Callable[[Path], None], directory: str
) -> None:
    study = StudyDirectory(tmp_path)
    study.configure()
    (tmp_path / directory).mkdir(parents=True)
    make_read_only(tmp_path / directory)
    result = study.snakemake()
    assert result.status == 1
    assert result.rules == {}
    assert "Traceback" not in result.output
    (line,) = result.errors
    assert line == (
        f"error: {directory}: is read-only, but files have to be written there; make it writable,"
        " or start in another directory"
    )


def test_dry_run_does_without_the_results(
    tmp_path: Path, make_read_only: Callable[[Path], None]
) -> None:
    study = StudyDirectory(tmp_path)
    study.configure()
    (tmp_path / "results").mkdir()
    make_read_only(tmp_path / "results")
    assert study.snakemake("--dry-run").status == 0


def test_files_of_tomorrow_are_said_before_any_job(tmp_path: Path) -> None:
    study = StudyDirectory(tmp_path)
    study.configure()
    frames = "results/datasets/ethane/reference.extxyz"
    assert study.snakemake("--", frames).status == 0
    tomorrow = time.time() + 86_400
    os.utime(tmp_path / frames, (tomorrow, tomorrow))
    result = study.snakemake("--", "results/datasets/ethane/quality.json")
    assert result.status == 1
    assert result.rules == {}
    assert "Traceback" not in result.output
    (line,) = result.errors
    assert line.startswith(f"error: {frames}: changed at 20")
    assert ", which is ahead of this machine's clock, 20" in line
    command = line.partition("; correct the clock, or run ")[2]
    assert command == "find results/datasets/ethane -newermt now -exec touch {} +"
    subprocess.run(command.split(), check=True, cwd=tmp_path)
    assert study.snakemake("--", "results/datasets/ethane/quality.json").status == 0


def test_full_disk_is_said_before_snakemake_fails_on_it(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    place = tmp_path / "small_disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        study = StudyDirectory(place)
        study.configure()
        assert study.snakemake("--dry-run").status == 0
        with suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1"],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        remedy = "the disk is full; make room there, and run the same command again"
        assert result.returncode == 1
        assert f"error: .snakemake: {remedy}\n" in result.stderr
        assert "Traceback" not in result.stderr
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
