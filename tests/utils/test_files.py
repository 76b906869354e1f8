import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from mlip_core.utils.errors import UserError
from mlip_core.utils.files import (
    atomic_path,
    file_digest,
    json_digest,
    remove_unfinished,
    require_past,
    write_json,
    write_text,
)


def test_file_appears_whole_in_a_new_directory(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["b.txt"]  # noqa: PTH208


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write_half()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["b.txt"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_json_is_readable_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [0.1, "Å"]})
    assert json.loads(path.read_text()) == {"b": 1, "a": [0.1, "Å"]}
    assert "Å" in path.read_text()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    assert json.loads(path.read_text())["b"] == 1


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert file_digest(tmp_path / "a") == sha256(b"x" * 3_000_000).hexdigest()
    assert json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1})
    assert json_digest({"a": 1}) != json_digest({"a": 2})


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom mlip_core.utils.files import atomic_path\n"
        "with atomic_path(sys.argv[1]):\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "a[1].json"
    path.touch()
    (tmp_path / ".a[1]-of-others.json").touch()
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 3
    remove_unfinished(path)
    assert {p.name for p in tmp_path.iterdir()} == {"a[1].json", ".a[1]-of-others.json"}


def test_times_to_come_are_refused(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("b/late", "a/late", "a/soon", "a/now")]
    for path, seconds in zip(names, (200, 100, 30, 0), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (time.time() + seconds,) * 2)
    require_past([*names[2:], tmp_path / "missing"])
    message = rf"a/late \(and 1 more\): changed at 20.* run find {tmp_path} -newermt"
    with pytest.raises(UserError, match=message):
        require_past(names)


def test_files_of_tomorrow_here_and_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    tomorrow = time.time() + 86_400
    for name in ("late", "../late"):
        Path(name).touch()
        os.utime(name, (tomorrow, tomorrow))
    with pytest.raises(UserError, match=r"^late: .* run find \. -newermt"):
        require_past(["late"])
    with pytest.raises(UserError, match=rf"\(and 1 more\): .* run find {tmp_path} -newermt"):
        require_past(["late", tmp_path / "late"])


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    for error in (OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota")):
        with pytest.raises(OSError) as raised, atomic_path(tmp_path / "a.csv"):
            raise error
        assert raised.value.filename == str(tmp_path / "a.csv")
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "a.csv"):
        raise TimeoutError(errno.ETIMEDOUT, "no answer")
    assert raised.value.filename is None
