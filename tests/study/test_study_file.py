"""Mistakes of a study file that a parser of YAML does not see, or does not place."""

import re
from pathlib import Path

import pytest

from mlip_core.study.study_file import check_study_file
from mlip_core.utils.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path", [ROOT / "config/config.yaml", *(ROOT / "config/examples").glob("*.yaml")], ids=str
)
def test_examples_are_fine(path: Path) -> None:
    check_study_file(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is already in line 1; remove one"),
        ("a:\n- {b: 1, c: 2,\n   b: 3}\n", "line 3: 'b' is already in line 2; remove one"),
        ("a: [1\nb: 2\n", "line 2: not YAML (expected ',' or ']', but got ':')"),
        ("a:\n\tb: 2\n", "line 2: not YAML (found character '\\t' that cannot start any token)"),
        ("a: \x07\n", "not YAML (unacceptable character #x0007: special characters are not al"),
        ("a: \udcff\n", "not YAML ('utf-8' codec can't decode byte 0xff in position 3"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=re.escape(f"{path}: {problem}")):
        check_study_file(path)


def test_all_repeated_keys_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("a: {x: 1, x: 2}\nb: {y: 1}\nb: {z: 1, z: 1}\n")
    with pytest.raises(UserError, match=r"line 1: 'x'.*\n.*line 3: 'b'.*\n.*line 3: 'z'"):
        check_study_file(path)


def test_aliases_are_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}}}" for n in range(1, 60)]
    path.write_text("\n".join(lines))
    check_study_file(path)
