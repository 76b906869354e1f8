"""Downloads from a real server on this machine, which can be told to misbehave."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlip_core.study.download import ATTEMPTS, download
from mlip_core.utils.errors import UserError
from tests.web_server import WebServer, web_server

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/data.xyz").write_bytes(CONTENT)
    with web_server(tmp_path / "served") as server:
        yield server


def fetch(server: WebServer, path: Path, name: str = "data.xyz", sha256: str = SHA256) -> None:
    download(f"{server.url}/{name}", sha256, path, pause_seconds=0.01)


def test_file_arrives_whole(server: WebServer, tmp_path: Path) -> None:
    target = tmp_path / "a/b/data.xyz"
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_broken_download_goes_on_where_it_stopped(server: WebServer, tmp_path: Path) -> None:
    server.break_after = [300_000, 200_000]
    fetch(server, tmp_path / "data.xyz")
    assert (tmp_path / "data.xyz").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_download_goes_on_in_another_process_too(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "data.xyz.part").write_bytes(CONTENT[:1000])
    fetch(server, tmp_path / "data.xyz")
    assert (tmp_path / "data.xyz").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_whole_file_that_was_not_yet_compared_is_not_fetched_again(
    server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "data.xyz.part").write_bytes(CONTENT)
    fetch(server, tmp_path / "data.xyz")
    assert (tmp_path / "data.xyz").read_bytes() == CONTENT


def test_server_without_ranges_sends_all_again(server: WebServer, tmp_path: Path) -> None:
    server.has_ranges = False
    server.break_after = [1000]
    fetch(server, tmp_path / "data.xyz")
    assert (tmp_path / "data.xyz").read_bytes() == CONTENT


def test_busy_server_is_asked_again(server: WebServer, tmp_path: Path) -> None:
    server.busy = 2
    fetch(server, tmp_path / "data.xyz")
    assert (tmp_path / "data.xyz").read_bytes() == CONTENT


def test_other_content_is_refused_and_not_kept(server: WebServer, tmp_path: Path) -> None:
    other = "0" * 64
    with pytest.raises(UserError, match=f"data.xyz: its content .* {SHA256}, .* {other}; correct"):
        fetch(server, tmp_path / "data.xyz", sha256=other)
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_missing_file_is_said_at_once(server: WebServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing.xyz: 404 .*; correct the address"):
        fetch(server, tmp_path / "data.xyz", "missing.xyz")
    assert len(server.ranges) == 1


def test_no_server_is_said_after_some_attempts(server: WebServer, tmp_path: Path) -> None:
    url = server.url
    server.stop()
    with pytest.raises(UserError, match=re.escape(f"{url}/x: not to be had in {ATTEMPTS}")):
        download(f"{url}/x", SHA256, tmp_path / "x", pause_seconds=0.001)


@pytest.mark.parametrize(
    ("address", "reason"),
    [("/data.xyz", "Exceeded 30 redir"), ("ftp://127.0.0.1/data.xyz", "No connection adapters")],
)
def test_redirects_to_nowhere_are_said_at_once(
    server: WebServer, tmp_path: Path, address: str, reason: str
) -> None:
    server.redirect = address
    with pytest.raises(UserError, match=rf"data.xyz: not to be had \({reason}.*correct the addr"):
        fetch(server, tmp_path / "data.xyz")
    assert len(server.paths) <= 31


def test_address_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not to be had .*correct the address"):
        download("http://[::1/data.xyz", SHA256, tmp_path / "data.xyz")
