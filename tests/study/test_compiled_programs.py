"""Compiled programs that a study keeps."""

import shutil
from pathlib import Path

import pytest

from mlip_core.study.compiled_programs import seal_compiled_programs


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    for name in "ab":
        (tmp_path / f"{name}-cache").write_bytes(f"program {name}".encode())
    seal_compiled_programs(str(tmp_path))
    return tmp_path


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*-cache")}


def test_programs_as_they_were_are_kept(programs: Path) -> None:
    (programs / "c-cache").write_bytes(b"new")
    for _ in range(2):
        seal_compiled_programs(str(programs))
    assert _names(programs) == {"a-cache", "b-cache", "c-cache"}


def test_a_program_under_another_name_is_removed(programs: Path) -> None:
    shutil.copyfile(programs / "a-cache", programs / "b-cache")
    seal_compiled_programs(str(programs))
    assert _names(programs) == {"a-cache"}


def test_one_that_was_removed_is_sealed_again_when_it_is_compiled_anew(programs: Path) -> None:
    (programs / "b-cache").write_bytes(b"damaged")
    seal_compiled_programs(str(programs))
    (programs / "b-cache").write_bytes(b"compiled anew")
    for _ in range(2):
        seal_compiled_programs(str(programs))
    assert _names(programs) == {"a-cache", "b-cache"}


@pytest.mark.parametrize("directory", [None, "not there"])
def test_nothing_to_seal_is_no_error(directory: str | None) -> None:
    seal_compiled_programs(directory)
